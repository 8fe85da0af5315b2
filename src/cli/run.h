// run(): runs the command line. Returns the process's exit code.
#pragma once

namespace ringmaster::cli {

int run(int argc, char** argv);

}  // namespace ringmaster::cli
