// A place that keeps named objects, each written once and whole. An object appears, complete and
// durable, at its sink's finish(), and not before.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "stream/stream.h"

namespace bkp {

struct Object {
  std::string name;
  std::uint64_t size = 0;
  TimePoint modified;
  std::string etag;  // as the store gives it, without quotes; empty where there is none
};

enum class IfExists { fail, replace };

struct CreateOptions {
  std::optional<std::uint64_t> expected_size;  // a hint; a wrong one costs only speed
  IfExists if_exists = IfExists::fail;
  std::stop_token stop;  // asked to stop: a blocked call ends soon, with an Error
};

// Bytes `offset` … `offset + length` of an object; `length` nullopt: to its end.
struct Range {
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

struct StorageInfo {
  std::string name;                        // as configured: "local", "r2"
  std::string location;                    // for people: a path, or endpoint and bucket; no secret
  std::optional<std::uint64_t> capacity;   // bytes in all, where known
  std::optional<std::uint64_t> available;  // bytes free, where known
  std::optional<TimePoint> clock;          // the store's own time, where it tells
};

// What became of one name in a batch.
struct Outcome {
  std::string name;
  std::optional<Error> error;  // none: the object is gone (or was not there)
};

// The storage cannot be reached or does not answer, as opposed to answering that something is
// wrong: asking again later may help.
class StorageUnreachable : public Error {
 public:
  using Error::Error;
};

// Object names are '/'-separated, of A-Z a-z 0-9 . _ - only, no empty or dot components, at most
// 900 bytes; a driver refuses others. All methods are thread-safe; retries with backoff and jitter
// are the driver's own business. Everything throws Error (StorageUnreachable where it applies)
// whose message names the storage.
class Storage {
 public:
  virtual ~Storage() = default;
  // No I/O before the first write. Under IfExists::fail, an object of that name that holds other
  // bytes makes finish() throw and stays as it was; where the answer to the driver's own commit was
  // lost, finding its own object is success. One of the same bytes is success too.
  virtual std::unique_ptr<Sink> create(std::string_view name, CreateOptions options) = 0;
  // Null: there is no such object. A range that begins past the end throws; one that begins at the
  // end is empty, and a length that reaches past the end stops at it. A read that ends before the
  // range does throws.
  virtual std::unique_ptr<Source> open(std::string_view name, Range range = {}) = 0;
  // Complete, sorted by name; temporary and unfinished ones are not objects. `prefix` is a plain
  // string prefix of names.
  virtual std::vector<Object> list(std::string_view prefix) = 0;
  // Removes objects, their older versions, and what unfinished writes under these names left
  // (temporary files, multipart uploads). A name that is not there is no error.
  virtual std::vector<Outcome> remove(std::span<const std::string> names) = 0;
  // Asks the storage; throws StorageUnreachable when it does not answer.
  virtual StorageInfo info() = 0;
};

// The rule for names above; a name that ends in ".tmp" is refused too, since drivers name what is
// not complete so.
inline constexpr std::size_t kMaxObjectName = 900;
inline constexpr std::string_view kTemporarySuffix = ".tmp";
bool is_object_name(std::string_view name);
// Throws Error(failed) for a name that cannot be one.
void check_object_name(std::string_view name);

// Convenience over the interface, for small objects.
// Whole content; nullopt: there is none. Throws Error(failed) past `limit` bytes.
std::optional<Bytes> read_object(Storage& storage, std::string_view name,
                                 std::size_t limit = std::size_t{64} << 20);
void write_object(Storage& storage, std::string_view name, ByteView content,
                  IfExists if_exists = IfExists::fail);
// The object's entry, by list(name); nullopt: there is none.
std::optional<Object> stat_object(Storage& storage, std::string_view name);

}  // namespace bkp
