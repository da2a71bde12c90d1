// A command of bkp: one row of the table in commands.cc, one file beside it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace bkp {

class Session;

// Carries out a command whose options were parsed. Returns the exit code; failure is an Error.
using Run = std::function<int(Session&)>;

struct Command {
  const char* name;
  const char* group;     // heading in `bkp -h`: "Setup", "Backup", "Look", "Restore", "Keep"
  const char* lock;      // name of the lock it takes on this cluster, or nullptr
  const char* summary;   // one line
  const char* examples;  // what --help ends with, a line each
  Run (*declare)(CLI::App&);
};

}  // namespace bkp
