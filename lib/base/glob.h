// Patterns for paths, over bytes: no locale, no file system.
#pragma once

#include <string>
#include <string_view>

namespace bkp {

// `*` is any text without '/', `**` any text, and "**/" also none; `?` any byte but '/'; [a-z],
// [!a-z]; '\' takes its meaning from what follows. A dot at the start of a name is like any byte.
bool glob_matches(std::string_view pattern, std::string_view text);

// Whether an absolute path is meant by a pattern as users write it: one without '/' is of the last
// name of the path, one that begins with '/' of the whole path, any other of its end.
bool path_matches(std::string_view pattern, std::string_view path);

// The same for the path or any directory above it: naming a directory means what is in it.
bool path_or_parent_matches(std::string_view pattern, std::string_view path);

// Whether a text means anything but itself.
bool is_glob(std::string_view text);

}  // namespace bkp
