// `bkp __complete -- WORD…`: what the shells' completion functions offer, from the same
// declarations that the command line is parsed by.
#pragma once

#include <string>
#include <vector>

namespace bkp {

// `words` are those after "bkp" (and an optional "--"), the last one (possibly empty) being typed.
// One candidate a line, with a tab and a description where there is one; the lines ":file" and
// ":directory" ask the shell for its own. Never throws: without a readable catalog nothing of it is
// offered.
std::string complete(std::vector<std::string> words);

}  // namespace bkp
