#include "repo/object_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "stream/memory_stream.h"
#include "stream/parallel_sink.h"

namespace bkp {
namespace {

Error damage(const std::string& object, const std::string& why) {
  return {ErrorCode::integrity, fmt::format("object '{}': {}", object, why)};
}

// Exactly out.size() bytes, or an integrity error: a copy that ends early is cut.
void read_exactly(Source& from, std::span<std::byte> out, const std::string& object) {
  while (!out.empty()) {
    const std::size_t count = from.read(out);
    if (count == 0) throw damage(object, "ends early");
    out = out.subspan(count);
  }
}

std::unique_ptr<Source> open_range(Storage& storage, const std::string& name, std::uint64_t from,
                                   std::uint64_t to) {
  std::unique_ptr<Source> source = storage.open(name, {from, to - from});
  if (!source) throw Error(ErrorCode::integrity, fmt::format("object '{}' is missing", name));
  return source;
}

Bytes read_range(Storage& storage, const std::string& name, std::uint64_t from, std::uint64_t to) {
  Bytes bytes(static_cast<std::size_t>(to - from));
  const std::unique_ptr<Source> source = open_range(storage, name, from, to);
  read_exactly(*source, bytes, name);
  return bytes;
}

// The SHA-256 of a whole copy is the manifest's.
bool has_right_digest(Storage& storage, const StoredObject& stored) {
  const std::unique_ptr<Source> source = storage.open(stored.name);
  if (!source)
    throw Error(ErrorCode::integrity, fmt::format("object '{}' is missing", stored.name));
  Sha256 hash;
  Bytes buffer(std::size_t{1} << 20);
  std::uint64_t size = 0;
  while (const std::size_t count = source->read(buffer)) {
    check_interrupt();
    hash.update(ByteView(buffer).first(count));
    size += count;
  }
  if (size != stored.size)
    throw damage(stored.name, fmt::format("has {} bytes instead of {}", size, stored.size));
  return equal_digests(hash.finish(), stored.sha256);
}

// The slots are bound to nothing. Those of the manifest begin with the object's own, which were
// there first; where they do not, only the digest of the whole object tells that from damage.
void require_good_slots(Storage& storage, const ExpectedObject& expected,
                        const std::vector<KeySlot>& slots) {
  const std::vector<KeySlot>& known = expected.stored.slots;
  const bool begins =
      slots.size() <= known.size() && std::equal(slots.begin(), slots.end(), known.begin());
  if (!begins && !has_right_digest(storage, expected.stored))
    throw damage(expected.stored.name, "its key slots are damaged");
}

// One frame as stored, head included → plain bytes.
Bytes open_frame(const FrameCipher& cipher, const ObjectLayout& layout, ByteView stored,
                 std::uint64_t index) {
  const FrameHead head = parse_frame_head(stored.first(kFrameHead));
  const bool last = index + 1 == layout.frames();
  if (head.last != last || head.sealed_size != stored.size() - kFrameHead)
    throw Error(ErrorCode::integrity, "its head is wrong");
  const Bytes compressed = cipher.open(stored.subspan(kFrameHead), index, last);
  Bytes plain = decompress_block(layout.header.codec, compressed, layout.header.frame_size);
  if (last ? plain.empty() && index > 0 : plain.size() != layout.header.frame_size)
    throw Error(ErrorCode::integrity, "it is too short");
  return plain;
}

std::string place(const ObjectLayout& layout, std::uint64_t frame) {
  return fmt::format("frame {} at byte {}", frame, layout.offsets[frame]);
}

BadCopy::Kind kind_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    if (known.code() != ErrorCode::integrity) return BadCopy::Kind::unreachable;
    return known.message().ends_with("is missing") ? BadCopy::Kind::missing
                                                   : BadCopy::Kind::damaged;
  } catch (...) {
    return BadCopy::Kind::unreachable;
  }
}

}  // namespace

ObjectLayout read_layout(Storage& storage, const ExpectedObject& expected) {
  const std::string& name = expected.stored.name;
  const std::uint64_t size = expected.stored.size;
  if (size < kTrailerSize) throw damage(name, "the manifest gives it an impossible size");
  const std::optional<Object> object = stat_object(storage, name);
  if (!object) throw Error(ErrorCode::integrity, fmt::format("object '{}' is missing", name));
  if (object->size != size)
    throw damage(name, fmt::format("has {} bytes instead of {}", object->size, size));

  const ContainerPrefix prefix =
      parse_prefix(read_range(storage, name, 0, std::min<std::uint64_t>(size, kMaxPrefix)));
  ContainerHeader wanted = expected.header;
  wanted.frame_size = prefix.header.frame_size;
  if (prefix.header != wanted)
    throw damage(name, fmt::format("its header is of another object ('{}')", prefix.header.name));

  require_good_slots(storage, expected, prefix.slots);

  const std::uint64_t tail = parse_trailer(read_range(storage, name, size - kTrailerSize, size));
  if (tail > size - prefix.size) throw damage(name, "its index is longer than the object");
  const FrameCipher cipher(prefix.header.suite, prefix.header_bytes, expected.key);
  const std::vector<std::uint32_t> sizes =
      cipher.open_index(read_range(storage, name, size - tail, size));
  ObjectLayout layout{prefix.header, prefix.header_bytes, {prefix.size}};
  for (const std::uint32_t frame : sizes) layout.offsets.push_back(layout.offsets.back() + frame);
  if (sizes.empty() || layout.offsets.back() != size - tail)
    throw damage(name, "its index does not add up");
  return layout;
}

// What the reading thread and the workers that open frames both touch.
struct ObjectReader::Shared {
  explicit Shared(std::vector<ObjectCopy> from) : copies(std::move(from)), suspect(copies.size()) {}

  const std::vector<ObjectCopy> copies;
  std::vector<std::atomic<bool>> suspect;  // a copy that gave a bad frame is asked last
  std::vector<std::string> served_by;      // the reading thread's own
  std::mutex mutex;
  std::vector<BadCopy> bad;

  // Remembers the exception being handled as the reason why `copy` did not serve.
  void note(std::size_t copy, const std::string& where) {
    suspect[copy] = true;
    const std::scoped_lock lock(mutex);
    for (const BadCopy& known : bad)
      if (known.storage == copies[copy].storage) return;  // the first place says enough
    const std::string why = describe(std::current_exception());
    bad.push_back({copies[copy].storage, kind_of(std::current_exception()),
                   where.empty() ? why : where + ": " + why});
  }

  // The best copy not yet tried for this frame; copies.size(): none.
  std::size_t next(const std::vector<bool>& tried) const {
    for (std::size_t i = 0; i < copies.size(); ++i)
      if (!tried[i] && !suspect[i]) return i;
    return static_cast<std::size_t>(std::find(tried.begin(), tried.end(), false) - tried.begin());
  }

  [[noreturn]] void give_up(const std::string& object, const std::string& where) {
    const std::scoped_lock lock(mutex);
    std::string message = fmt::format("no copy of '{}' can be read", object);
    if (!where.empty()) message += " at " + where;
    ErrorCode code = ErrorCode::failed;
    for (const BadCopy& copy : bad) {
      message += fmt::format("; in '{}': {}", copy.storage, copy.problem);
      if (copy.kind != BadCopy::Kind::unreachable) code = ErrorCode::integrity;
    }
    throw Error(code, message);
  }
};

namespace {

// Passes data on, but lets its sink take more afterwards: the next object's.
class Unfinished final : public Sink {
 public:
  explicit Unfinished(Sink& to) : to_(to) {}
  void write(ByteView data) override { to_.write(data); }
  void finish() override {}

 private:
  Sink& to_;
};

}  // namespace

// One pass over an object.
class ObjectReader::Pass {
 public:
  Pass(const ExpectedObject& expected, const ObjectLayout& layout, Shared& shared)
      : name_(expected.stored.name),
        layout_(layout),
        cipher_(layout.header.suite, layout.header_bytes, expected.key),
        shared_(shared) {}

  // The next frame as some copy has it, behind one byte that says which.
  Bytes fetch(std::uint64_t index) {
    std::vector<bool> tried(shared_.copies.size());
    leave_suspect_copy();
    for (;;) {
      try {
        if (!source_) open_source(index, tried);
        Bytes block(1 + layout_.offsets[index + 1] - layout_.offsets[index]);
        block[0] = static_cast<std::byte>(copy_);
        read_exactly(*source_, std::span(block).subspan(1), name_);
        return block;
      } catch (const Error&) {
        check_interrupt();
        shared_.note(copy_, place(layout_, index));
        tried[copy_] = true;
        source_.reset();
      }
      if (shared_.next(tried) == tried.size()) shared_.give_up(name_, place(layout_, index));
    }
  }

  // Runs on workers: a frame that does not open is fetched again from the other copies.
  Bytes open(ByteView block, std::uint64_t index) const {
    std::vector<bool> tried(shared_.copies.size());
    std::size_t copy = std::to_integer<std::size_t>(block[0]);
    Bytes stored = to_bytes(block.subspan(1));
    for (;;) {
      try {
        if (stored.empty())
          stored = read_range(*shared_.copies[copy].from, name_, layout_.offsets[index],
                              layout_.offsets[index + 1]);
        return open_frame(cipher_, layout_, stored, index);
      } catch (const Error&) {
        shared_.note(copy, place(layout_, index));
        tried[copy] = true;
        stored.clear();
      }
      copy = shared_.next(tried);
      if (copy == tried.size()) shared_.give_up(name_, place(layout_, index));
    }
  }

 private:
  void open_source(std::uint64_t index, const std::vector<bool>& tried) {
    copy_ = shared_.next(tried);
    source_ = open_range(*shared_.copies[copy_].from, name_, layout_.offsets[index],
                         layout_.offsets.back());
    const std::string& storage = shared_.copies[copy_].storage;
    if (shared_.served_by.empty() || shared_.served_by.back() != storage)
      shared_.served_by.push_back(storage);
  }

  // A worker found a bad frame in the copy that is being read: go on from a better one, if any.
  void leave_suspect_copy() {
    if (!source_ || !shared_.suspect[copy_]) return;
    const std::size_t better = shared_.next(std::vector<bool>(shared_.copies.size()));
    if (!shared_.suspect[better]) source_.reset();
  }

  const std::string& name_;
  const ObjectLayout& layout_;
  FrameCipher cipher_;
  Shared& shared_;
  std::unique_ptr<Source> source_;
  std::size_t copy_ = 0;
};

ObjectReader::ObjectReader(ExpectedObject expected, std::vector<ObjectCopy> copies,
                           WorkerPool& pool)
    : expected_(std::move(expected)),
      pool_(pool),
      shared_(std::make_unique<Shared>(std::move(copies))) {}

ObjectReader::~ObjectReader() = default;

const std::vector<std::string>& ObjectReader::served_by() const { return shared_->served_by; }

std::vector<BadCopy> ObjectReader::bad_copies() const {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->bad;
}

ObjectLayout ObjectReader::find_layout() {
  for (std::size_t i = 0; i < shared_->copies.size(); ++i) {
    try {
      return read_layout(*shared_->copies[i].from, expected_);
    } catch (const Error&) {
      check_interrupt();
      shared_->note(i, "");
    }
  }
  shared_->give_up(expected_.stored.name, "");
}

void ObjectReader::read_all(Sink& to) {
  const ObjectLayout layout = find_layout();
  Pass pass(expected_, layout, *shared_);
  Unfinished unfinished(to);
  ParallelSink opened(
      [&pass](ByteView block, std::uint64_t index, bool) { return pass.open(block, index); },
      unfinished, pool_, 0);
  for (std::uint64_t index = 0; index < layout.frames(); ++index) opened.write(pass.fetch(index));
  opened.finish();
}

std::string prove_copy(Storage& storage, const ExpectedObject& expected, Seals seals,
                       WorkerPool& pool) {
  const std::string& name = expected.stored.name;
  const auto prove_seals = [&] {
    ObjectReader reader(expected, {{"this copy", std::shared_ptr<Storage>(&storage, [](auto*) {})}},
                        pool);
    NullSink nothing;
    try {
      reader.read_all(nothing);
    } catch (const Error& error) {
      const std::vector<BadCopy> bad = reader.bad_copies();
      if (error.code() != ErrorCode::integrity || bad.empty()) throw;
      const std::string& problem = bad.front().problem;
      if (problem.find(name) != std::string::npos) throw Error(ErrorCode::integrity, problem);
      throw damage(name, problem);
    }
  };
  try {
    if (!has_right_digest(storage, expected.stored)) {
      prove_seals();  // tells the place, unless the damage lies outside of what is sealed
      throw damage(name, "its SHA-256 is not the manifest's");
    }
    if (seals == Seals::yes) prove_seals();
    return {};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::integrity) throw;
    return error.message();
  }
}

}  // namespace bkp
