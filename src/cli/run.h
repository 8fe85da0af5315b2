// run(): the program behind the command line. Returns what the process exits with.
#pragma once

namespace ringmaster::cli {

int run(int argc, char** argv);

}  // namespace ringmaster::cli
