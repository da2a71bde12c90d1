// What lies in a storage without being an object: what killed writers left, and versions that a
// store keeps behind an object or behind its removal. It is billed, and nothing reads it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "storage/storage.h"

namespace bkp {

struct Leftover {
  enum class Kind {
    temporary,   // a file that was being written
    upload,      // a multipart upload that was neither completed nor aborted
    superseded,  // a version behind the object that is there now
    hidden,      // a version behind a removal, or the mark of the removal
  };
  Kind kind = Kind::temporary;
  std::string name;  // of the object that it is of, or was to be
  std::uint64_t size = 0;
  TimePoint since;    // last written; of a store that does not tell, far in the future
  std::string token;  // what the driver finds it by
};

// Drivers that can tell. Thread-safe.
class KeepsLeftovers {
 public:
  virtual ~KeepsLeftovers() = default;
  // Of objects whose names begin with `prefix`, writers that are at work among them. Throws Error.
  virtual std::vector<Leftover> leftovers(std::string_view prefix) = 0;
  // None: it is gone, or was not there. Throws StorageUnreachable.
  virtual std::optional<Error> discard(const Leftover& leftover) = 0;
};

}  // namespace bkp
