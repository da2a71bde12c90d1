// The drivers that need no server.
#include "base/fd.h"
#include "storage/local.h"
#include "support/memory_storage.h"

namespace {

class MemoryDriver {
 public:
  bkp::Storage& storage() { return storage_; }
  std::size_t leftovers() { return static_cast<std::size_t>(storage_.unfinished()); }
  std::size_t many() const { return 5000; }
  static constexpr bool kExclusive = true;

 private:
  bkp::test::MemoryStorage storage_;
};

template <bkp::UnfinishedFile kUnfinished>
class DirectoryDriver {
 public:
  bkp::Storage& storage() { return storage_; }
  // Everything on the disk that is neither an object nor a directory on the way to one.
  std::size_t leftovers() {
    namespace fs = std::filesystem;
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory_.path()))
      if (entry.is_directory() ? fs::is_empty(entry.path()) : entry.path().extension() == ".tmp")
        ++count;
    return count;
  }
  std::size_t many() const { return 1100; }
  static constexpr bool kExclusive = true;

 private:
  bkp::TemporaryDirectory directory_{std::filesystem::temp_directory_path(), "bkp-local-"};
  bkp::LocalStorage storage_{"local", directory_.path(), kUnfinished};
};

using LocalDriver = DirectoryDriver<bkp::UnfinishedFile::unnamed>;
using NamedLocalDriver = DirectoryDriver<bkp::UnfinishedFile::named>;

}  // namespace

#define STORAGE_FIXTURES MemoryDriver, LocalDriver, NamedLocalDriver
#include "storage/contract.h"
