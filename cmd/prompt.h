// Questions on a terminal. They go to standard error, so that results stay clean.
#pragma once

#include <string>
#include <string_view>

namespace bkp {

// Whether a person is there to answer: standard input and standard error are terminals.
bool can_ask();

// "QUESTION [DEFAULT]: "; an empty answer is the default; asked again while both are empty.
// Throws Error(failed) at the end of input.
std::string ask(std::string_view question, const std::string& by_default = {});

// "QUESTION [y/N]: "
bool confirm(std::string_view question);

}  // namespace bkp
