// A storage in memory: honest by default, and able to fail in the ways that real ones do.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>

#include "storage/storage.h"

namespace bkp::test {

// Each fault acts until it is taken away (set_faults({})).
struct Faults {
  bool unreachable = false;                        // every call throws StorageUnreachable
  std::optional<std::uint64_t> fail_write_after;   // a sink fails once it took so many bytes
  std::optional<std::uint64_t> stall_write_after;  // … blocks until it is stopped or unstalled
  bool fail_finish = false;                        // finish() throws, nothing is stored
  bool lose_answer = false;                        // finish() stores, then throws
  bool fail_open = false;
  bool fail_list = false;
  bool fail_remove = false;                      // every outcome is an error
  std::optional<std::uint64_t> fail_read_after;  // a source fails after so many bytes
};

// Thread-safe. A sink that is stalled ends with StorageUnreachable once its stop token asks, or
// goes on when the faults are changed.
class MemoryStorage final : public Storage {
 public:
  explicit MemoryStorage(std::string name = "memory");

  std::unique_ptr<Sink> create(std::string_view name, CreateOptions options) override;
  std::unique_ptr<Source> open(std::string_view name, Range range = {}) override;
  std::vector<Object> list(std::string_view prefix) override;
  std::vector<Outcome> remove(std::span<const std::string> names) override;
  StorageInfo info() override;

  void set_faults(Faults faults);
  // What info() tells; nullopt: the system's own time.
  void set_clock(std::optional<TimePoint> clock);

  // Behind the interface's back: what is stored, and damage to it.
  std::vector<std::string> names() const;
  std::optional<Bytes> content(std::string_view name) const;
  void put(std::string_view name, Bytes content);  // also over an existing object
  void flip_byte(std::string_view name, std::uint64_t offset);
  void truncate(std::string_view name, std::uint64_t size);
  void rename(std::string_view from, std::string_view to);
  void erase(std::string_view name);
  // Sinks that began to write and are neither finished nor destroyed.
  int unfinished() const;

 private:
  friend class MemoryStorageSink;
  friend class MemoryStorageSource;
  struct Stored {
    Bytes content;
    TimePoint modified;
  };

  void require_reachable(const std::unique_lock<std::mutex>&) const;
  Stored& at(std::string_view name);
  void commit(const std::string& name, Bytes content, IfExists if_exists);

  std::string name_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Faults faults_;
  std::optional<TimePoint> clock_;
  std::map<std::string, Stored, std::less<>> objects_;
  int unfinished_ = 0;
};

}  // namespace bkp::test
