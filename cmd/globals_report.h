// What became of a restore of globals, told to people and to programs. No password is in it.
#pragma once

#include <string>

#include "output.h"
#include "recovery/restore_globals.h"

namespace bkp {

// What was made, what differs, what could not be had.
void print_globals(const GlobalsResult& result, Output& output);
// The statements of a dry run, as SQL that can be read: passwords are not in it, and what differs
// is comments.
void print_globals_sql(const GlobalsResult& result, Output& output);
std::string globals_json(const GlobalsResult& result);
// The JSON document of what followed, with the globals as its member "globals".
std::string with_globals(const std::string& document, const GlobalsResult& result);

// Whether something of the backup is not on the server now.
bool is_partial(const GlobalsResult& result);

}  // namespace bkp
