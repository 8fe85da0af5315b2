// The status port of a server: where it is, and its pages. Blocking, for at most 10 s.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "cli/command_line.h"
#include "config/options.h"

namespace ringmaster::cli {

// --to, else listen.status of -c, else the default address. Fails with 78 for an invalid
// configuration, and prints its problems; with 64 or 71 for an address that names no port.
// `command` is for the message.
Result<std::string> find_status_port(const CommandLine& line, std::string_view command);

// Fails (71) if clients cannot know the address: it is empty, or lets the system choose the port.
// `hint`: what the user can do then.
Status check_status_port(const CommandLine& line, const std::string& address,
                         std::string_view hint);

// Returns the server's answer to GET `path`, a page of JSON. Asks again if the port has no time for
// it (503). Fails (71) and names the address if no server listens there, if the server does not
// answer in time, or if the answer is not 200.
Result<std::string> get_page(const std::string& address, std::string_view path);

// The error (71) for an answer that is not this page.
tl::unexpected<Error> not_the_page(const std::string& address, std::string_view path);

// A server's text, safe for a terminal: with blanks in place of control characters.
std::string without_controls(std::string_view text);

}  // namespace ringmaster::cli
