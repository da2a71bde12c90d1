// One run at a time on this host: an flock(2) on a named file, given back by the kernel however the
// run ends. (Other hosts are kept apart by heartbeat objects in the storages.)
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace bkp {

class Lock {
 public:
  // Takes DIRECTORY/NAME.lock, waiting up to `wait`. The file then holds this process's id, command
  // and start, so that the loser's message can name the holder.
  // Throws Error(locked) naming the holder, Error(failed) when the directory cannot be written.
  Lock(const std::filesystem::path& directory, std::string_view name, std::string_view holder,
       std::chrono::seconds wait = std::chrono::seconds(0));

 private:
  Fd file_;
};

}  // namespace bkp
