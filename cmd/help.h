// What -h and --help print, drawn from the table of commands and the options they declare.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "command.h"

namespace bkp {

std::string overview();                          // `bkp`, `bkp -h`: commands by group
std::string long_overview();                     // `bkp --help`
std::string short_help(const Command& command);  // `bkp COMMAND -h`: one screen
std::string long_help(const Command& command);   // `bkp COMMAND --help`, `bkp help COMMAND`

// "bkp show [OPTIONS] ID"
std::string usage_line(const CLI::App& app);
// "-c, --config FILE"; "ID" for a positional.
std::string option_heading(const CLI::Option& option);

}  // namespace bkp
