// A command of bkp: one row of the table in commands.cc, one file beside it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace bkp {

class Session;

// Carries out a command whose options were parsed. Returns the exit code; failure is an Error.
using Run = std::function<int(Session&)>;

// What a run of the command leaves behind, beside its result. One that changes something is
// recorded in the catalog and takes --actor.
enum class Effect { reads, changes, sets_up /* before there is a catalog to record it in */ };

struct Command {
  const char* name;
  const char* group;     // heading in `bkp -h`: "Setup", "Backup", "Look", "Restore", "Keep"
  const char* lock;      // name of the lock it takes on this cluster, or nullptr
  const char* summary;   // one line
  const char* examples;  // what --help ends with, a line each
  Run (*declare)(CLI::App&);
  Effect effect = Effect::reads;
  // Type of the alert that is raised when it fails as a whole, or nullptr where what it does raises
  // its own.
  const char* alert = nullptr;
  // What it keeps within reach of root's power when root started it (base/privilege.h).
  unsigned privileges = 0;
};

}  // namespace bkp
