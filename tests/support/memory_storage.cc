#include "support/memory_storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "base/interrupt.h"
#include "stream/memory_stream.h"

namespace bkp::test {
namespace {

TimePoint system_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

Error injected(const std::string& storage, std::string_view what) {
  return Error(ErrorCode::failed, fmt::format("storage '{}': {} (injected)", storage, what));
}

}  // namespace

class MemoryStorageSink final : public Sink {
 public:
  MemoryStorageSink(MemoryStorage& storage, std::string name, CreateOptions options)
      : storage_(storage), name_(std::move(name)), options_(std::move(options)) {}

  ~MemoryStorageSink() override { end(); }

  void write(ByteView data) override {
    std::unique_lock lock(storage_.mutex_);
    begin(lock);
    const auto past = [&](const std::optional<std::uint64_t>& limit) {
      return limit && content_.size() + data.size() > *limit;
    };
    if (past(storage_.faults_.stall_write_after)) {
      const std::stop_callback wake(options_.stop, [this] { storage_.changed_.notify_all(); });
      wait_interruptibly(storage_.changed_, lock, [&] {
        return options_.stop.stop_requested() || !past(storage_.faults_.stall_write_after);
      });
    }
    if (options_.stop.stop_requested())
      throw StorageUnreachable(ErrorCode::failed,
                               fmt::format("storage '{}': writing was stopped", storage_.name_));
    storage_.require_reachable(lock);
    if (past(storage_.faults_.fail_write_after)) throw injected(storage_.name_, "write failed");
    append(content_, data);
  }

  void finish() override {
    std::unique_lock lock(storage_.mutex_);
    begin(lock);
    if (storage_.faults_.fail_finish) throw injected(storage_.name_, "finish failed");
    storage_.commit(name_, std::move(content_), options_.if_exists);
    lock.unlock();
    end();
    lock.lock();
    if (storage_.faults_.lose_answer)
      throw StorageUnreachable(ErrorCode::failed,
                               fmt::format("storage '{}': answer lost", storage_.name_));
  }

 private:
  void begin(const std::unique_lock<std::mutex>& lock) {
    storage_.require_reachable(lock);
    if (!begun_) ++storage_.unfinished_;
    begun_ = true;
  }
  void end() {
    const std::unique_lock lock(storage_.mutex_);
    if (begun_) --storage_.unfinished_;
    begun_ = false;
  }

  MemoryStorage& storage_;
  std::string name_;
  CreateOptions options_;
  Bytes content_;
  bool begun_ = false;
};

class MemoryStorageSource final : public Source {
 public:
  MemoryStorageSource(MemoryStorage& storage, Bytes content)
      : storage_(storage), content_(std::move(content)) {}

  std::size_t read(std::span<std::byte> out) override {
    const std::unique_lock lock(storage_.mutex_);
    storage_.require_reachable(lock);
    std::size_t count = std::min(out.size(), content_.size() - at_);
    if (const auto limit = storage_.faults_.fail_read_after; limit && at_ + count > *limit) {
      if (at_ >= *limit) throw injected(storage_.name_, "read failed");
      count = static_cast<std::size_t>(*limit - at_);
    }
    std::copy_n(content_.begin() + static_cast<std::ptrdiff_t>(at_), count, out.begin());
    at_ += count;
    return count;
  }

 private:
  MemoryStorage& storage_;
  Bytes content_;
  std::size_t at_ = 0;
};

MemoryStorage::MemoryStorage(std::string name) : name_(std::move(name)) {}

void MemoryStorage::require_reachable(const std::unique_lock<std::mutex>&) const {
  if (faults_.unreachable)
    throw StorageUnreachable(ErrorCode::failed,
                             fmt::format("storage '{}': cannot be reached (injected)", name_));
}

std::unique_ptr<Sink> MemoryStorage::create(std::string_view name, CreateOptions options) {
  check_object_name(name);
  return std::make_unique<MemoryStorageSink>(*this, std::string(name), std::move(options));
}

void MemoryStorage::commit(const std::string& name, Bytes content, IfExists if_exists) {
  const auto found = objects_.find(name);
  if (found != objects_.end() && if_exists == IfExists::fail) {
    if (found->second.content == content) return;
    throw Error(
        ErrorCode::failed,
        fmt::format("storage '{}': '{}' exists already and holds other bytes", name_, name));
  }
  objects_[name] = {std::move(content), clock_.value_or(system_now())};
}

std::unique_ptr<Source> MemoryStorage::open(std::string_view name, Range range) {
  check_object_name(name);
  const std::unique_lock lock(mutex_);
  require_reachable(lock);
  if (faults_.fail_open) throw injected(name_, "open failed");
  const auto found = objects_.find(name);
  if (found == objects_.end()) return nullptr;
  const Bytes& content = found->second.content;
  if (range.offset > content.size())
    throw Error(ErrorCode::failed, fmt::format("storage '{}': '{}' has {} bytes, none at {}", name_,
                                               name, content.size(), range.offset));
  const std::uint64_t rest = content.size() - range.offset;
  const std::uint64_t length = std::min(range.length.value_or(rest), rest);
  return std::make_unique<MemoryStorageSource>(
      *this, to_bytes(ByteView(content).subspan(static_cast<std::size_t>(range.offset),
                                                static_cast<std::size_t>(length))));
}

std::vector<Object> MemoryStorage::list(std::string_view prefix) {
  const std::unique_lock lock(mutex_);
  require_reachable(lock);
  if (faults_.fail_list) throw injected(name_, "list failed");
  std::vector<Object> found;
  for (const auto& [name, stored] : objects_)
    if (name.starts_with(prefix))
      found.push_back({name, stored.content.size(), stored.modified, {}});
  return found;
}

std::vector<Outcome> MemoryStorage::remove(std::span<const std::string> names) {
  const std::unique_lock lock(mutex_);
  require_reachable(lock);
  std::vector<Outcome> outcomes;
  for (const std::string& name : names) {
    check_object_name(name);
    Outcome& outcome = outcomes.emplace_back(Outcome{name, std::nullopt});
    if (faults_.fail_remove)
      outcome.error = injected(name_, "remove failed");
    else
      objects_.erase(name);
  }
  return outcomes;
}

StorageInfo MemoryStorage::info() {
  const std::unique_lock lock(mutex_);
  require_reachable(lock);
  StorageInfo info;
  info.name = name_;
  info.location = "memory";
  info.clock = clock_.value_or(system_now());
  return info;
}

void MemoryStorage::set_faults(Faults faults) {
  const std::unique_lock lock(mutex_);
  faults_ = faults;
  changed_.notify_all();
}

void MemoryStorage::set_clock(std::optional<TimePoint> clock) {
  const std::unique_lock lock(mutex_);
  clock_ = clock;
}

MemoryStorage::Stored& MemoryStorage::at(std::string_view name) {
  const auto found = objects_.find(name);
  if (found == objects_.end()) throw std::out_of_range("no object " + std::string(name));
  return found->second;
}

std::vector<std::string> MemoryStorage::names() const {
  const std::unique_lock lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [name, stored] : objects_) all.push_back(name);
  return all;
}

std::optional<Bytes> MemoryStorage::content(std::string_view name) const {
  const std::unique_lock lock(mutex_);
  const auto found = objects_.find(name);
  if (found == objects_.end()) return std::nullopt;
  return found->second.content;
}

void MemoryStorage::put(std::string_view name, Bytes content) {
  const std::unique_lock lock(mutex_);
  objects_[std::string(name)] = {std::move(content), clock_.value_or(system_now())};
}

void MemoryStorage::flip_byte(std::string_view name, std::uint64_t offset) {
  const std::unique_lock lock(mutex_);
  at(name).content.at(static_cast<std::size_t>(offset)) ^= std::byte{1};
}

void MemoryStorage::truncate(std::string_view name, std::uint64_t size) {
  const std::unique_lock lock(mutex_);
  at(name).content.resize(static_cast<std::size_t>(size));
}

void MemoryStorage::rename(std::string_view from, std::string_view to) {
  const std::unique_lock lock(mutex_);
  objects_[std::string(to)] = std::move(at(from));
  objects_.erase(objects_.find(from));
}

void MemoryStorage::erase(std::string_view name) {
  const std::unique_lock lock(mutex_);
  if (const auto found = objects_.find(name); found != objects_.end()) objects_.erase(found);
}

int MemoryStorage::unfinished() const {
  const std::unique_lock lock(mutex_);
  return unfinished_;
}

}  // namespace bkp::test
