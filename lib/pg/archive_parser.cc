#include "pg/archive_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "base/error.h"
#include "pg/encoding.h"

namespace bkp {
namespace {

constexpr std::string_view kMagic = "PGDMP";
constexpr unsigned kCustomFormat = 1;
constexpr std::size_t kIntegerSize = 5;  // with its sign
constexpr unsigned kTableDataBlock = 1;
constexpr unsigned kLargeObjectsBlock = 3;
// The longest text that matters is a COPY statement of 1,600 columns, each name quoted: 0.4 MiB.
constexpr std::size_t kTextLimit = std::size_t{1} << 20;

}  // namespace

ArchiveParser::ArchiveParser(Digests digests, ArchiveListener* listener)
    : digests_(digests), listener_(listener), rows_(digests) {
  begin(Step::magic);
}

std::string ArchiveParser::current_table() const {
  if (!block_ || block_->large_objects) return {};
  const TableData& table = contents_.tables[block_->table];
  return table.schema + "." + table.name;
}

void ArchiveParser::feed(ByteView data) {
  const std::uint64_t start = offset_;
  const ByteView all = data;
  try {
    while (!data.empty()) {
      if (step_ == Step::chunks) {
        take_chunks(data);
      } else if (in_text_) {
        take_text(data);
      } else {
        take_fixed(data);
      }
      offset_ = start + (all.size() - data.size());
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::integrity || error.message().starts_with("the dump")) throw;
    const std::string table = current_table();
    damaged(table.empty() ? error.message() : "table '" + table + "': " + error.message());
  }
}

void ArchiveParser::finish() {
  const bool between_blocks = step_ == Step::block_type && fixed_have_ == 0;
  const bool complete =
      std::all_of(data_.begin(), data_.end(), [](const auto& entry) { return entry.second.seen; });
  if (!between_blocks || !complete)
    throw Error(ErrorCode::integrity,
                fmt::format("the dump is cut off: it ends after {} bytes", offset_));
}

void ArchiveParser::begin(Step step) {
  step_ = step;
  fixed_have_ = 0;
  in_text_ = false;
  switch (token_of(step)) {
    case Token::integer:
    case Token::text:
      fixed_need_ = kIntegerSize;
      break;
    case Token::bytes:
      fixed_need_ = step == Step::magic ? kMagic.size() : step == Step::offset ? 8 : 1;
  }
}

ArchiveParser::Token ArchiveParser::token_of(Step step) const {
  switch (step) {
    case Step::magic:
    case Step::major:
    case Step::minor:
    case Step::revision:
    case Step::integer_size:
    case Step::offset_size:
    case Step::format:
    case Step::offset_state:
    case Step::offset:
    case Step::block_type:
      return Token::bytes;
    case Step::compression:  // a level up to 1.14, since then an algorithm
      return contents_.version_minor < 15 ? Token::integer : Token::bytes;
    case Step::database:
    case Step::server_version:
    case Step::dump_version:
    case Step::table_oid:
    case Step::oid:
    case Step::tag:
    case Step::kind:
    case Step::definition:
    case Step::drop:
    case Step::copy:
    case Step::schema:
    case Step::tablespace:
    case Step::access_method:
    case Step::owner:
    case Step::with_oids:
    case Step::dependency:
      return Token::text;
    default:
      return Token::integer;
  }
}

bool ArchiveParser::kept(Step step) const {
  switch (step) {
    case Step::database:
    case Step::server_version:
    case Step::dump_version:
    case Step::kind:
    case Step::owner:
      return true;
    case Step::copy:
      return entry_.has_data;
    case Step::definition:
      return entry_.kind == "ENCODING";
    case Step::tag:
    case Step::schema:
    case Step::dependency:
      return listener_ != nullptr;
    default:
      return false;
  }
}

void ArchiveParser::take_fixed(ByteView& data) {
  const std::size_t taken = std::min(fixed_need_ - fixed_have_, data.size());
  std::copy_n(data.begin(), taken, fixed_.begin() + static_cast<std::ptrdiff_t>(fixed_have_));
  data = data.subspan(taken);
  fixed_have_ += taken;
  if (fixed_have_ < fixed_need_) return;
  switch (token_of(step_)) {
    case Token::bytes:
      return on_bytes();
    case Token::integer:
      return on_integer(integer(fixed_.data()));
    case Token::text: {
      const std::int64_t length = integer(fixed_.data());
      text_.clear();
      text_is_null_ = length < 0;
      text_left_ = text_is_null_ ? 0 : static_cast<std::uint64_t>(length);
      if (kept(step_) && text_left_ > kTextLimit) damaged("a text is too long");
      in_text_ = true;
      if (text_left_ == 0) on_text();
    }
  }
}

void ArchiveParser::take_text(ByteView& data) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(text_left_, data.size()));
  if (kept(step_)) text_ += as_text(data.first(taken));
  data = data.subspan(taken);
  text_left_ -= taken;
  if (text_left_ == 0) on_text();
}

// Most chunks are one short row (pg_dump up to 15 writes each row as one), so this loop is what the
// speed of a dump depends on.
void ArchiveParser::take_chunks(ByteView& data) {
  while (!data.empty()) {
    if (chunk_left_ == 0) {
      const std::optional<std::int64_t> length = chunk_length(data);
      if (!length) return;
      if (*length < 0) damaged("a negative length");
      if (*length == 0) return end_of_stretch();
      chunk_left_ = static_cast<std::uint64_t>(*length);
    }
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, data.size()));
    if (taken == 0) return;
    on_chunk(data.first(taken));
    data = data.subspan(taken);
    chunk_left_ -= taken;
  }
}

std::optional<std::int64_t> ArchiveParser::chunk_length(ByteView& data) {
  if (fixed_have_ == 0 && data.size() >= kIntegerSize) {
    const std::int64_t length = integer(data.data());
    data = data.subspan(kIntegerSize);
    return length;
  }
  const std::size_t taken = std::min(kIntegerSize - fixed_have_, data.size());
  std::copy_n(data.begin(), taken, fixed_.begin() + static_cast<std::ptrdiff_t>(fixed_have_));
  data = data.subspan(taken);
  fixed_have_ += taken;
  if (fixed_have_ < kIntegerSize) return std::nullopt;
  fixed_have_ = 0;
  return integer(fixed_.data());
}

void ArchiveParser::on_bytes() {
  const auto value = std::to_integer<unsigned>(fixed_[0]);
  switch (step_) {
    case Step::magic:
      if (as_text(ByteView(fixed_).first(kMagic.size())) != kMagic)
        throw Error(ErrorCode::integrity, "the dump is no archive of pg_dump's custom format");
      break;
    case Step::offset_state:  // not known (a pipe), known, no data
      if (value < 1 || value > 3) damaged("an unknown state of an offset");
      break;
    case Step::block_type:
      if (value != kTableDataBlock && value != kLargeObjectsBlock) damaged("an unknown block");
      large_objects_block_ = value == kLargeObjectsBlock;
      break;
    case Step::offset:
      return end_of_entry();
    default:
      check_header_byte(value);
  }
  follow();
}

void ArchiveParser::check_header_byte(unsigned value) {
  switch (step_) {
    case Step::major:
      contents_.version_major = static_cast<int>(value);
      break;
    case Step::minor:
      contents_.version_minor = static_cast<int>(value);
      if (contents_.version_major != 1 || value < 14 || value > 16)
        throw Error(ErrorCode::integrity,
                    fmt::format("the dump has archive version {}.{}; known are 1.14 to 1.16",
                                contents_.version_major, value),
                    "is pg_dump newer than this bkp?");
      break;
    case Step::integer_size:
      if (value != kIntegerSize - 1) damaged("integers of another size");
      break;
    case Step::offset_size:
      if (value != 8) damaged("offsets of another size");
      break;
    case Step::format:
      if (value != kCustomFormat) damaged("another format");
      break;
    case Step::compression:
      if (value != 0)
        throw Error(ErrorCode::integrity, "the dump is compressed by pg_dump itself",
                    "bkp compresses; pg_dump has to be told -Z0");
      break;
    default:
      break;
  }
}

void ArchiveParser::on_integer(std::int64_t value) {
  switch (step_) {
    case Step::compression:
      check_header_byte(value == 0 ? 0 : 1);
      break;
    case Step::count:
      if (value < 0) damaged("a negative number of entries");
      entries_left_ = value;
      break;
    case Step::entry_id:
      if (value <= 0) damaged("an entry's number is not positive");
      entry_ = Entry();
      entry_.id = value;
      break;
    case Step::has_data:
      if (value != 0 && value != 1) damaged("an entry neither has nor lacks data");
      entry_.has_data = value == 1;
      break;
    case Step::block_entry:
      begin_block(value);
      break;
    case Step::large_object:
      // Numbers above 2^31 come as negative integers.
      large_object_ = static_cast<std::uint32_t>(value);
      if (large_object_ != 0 && digests_ == Digests::yes) large_object_sha_.emplace();
      if (large_object_ != 0) ++contents_.large_objects.count;
      break;
    default:
      break;
  }
  follow();
}

void ArchiveParser::on_text() {
  in_text_ = false;
  if (step_ == Step::database) contents_.database = text_;
  if (step_ == Step::server_version) contents_.server_version = text_;
  if (step_ == Step::dump_version) contents_.dump_version = text_;
  if (step_ == Step::kind) entry_.kind = text_;
  if (step_ == Step::definition && kept(step_)) set_encoding();
  if (step_ == Step::copy) entry_.copy = text_;
  if (step_ == Step::owner) entry_.owner = text_;
  if (step_ == Step::tag) entry_.tag = text_;
  if (step_ == Step::schema) entry_.schema = text_;
  if (step_ == Step::dependency && listener_ && !text_is_null_)
    entry_.depends_on.push_back(std::strtoll(text_.c_str(), nullptr, 10));
  follow();
}

// "SET client_encoding = 'UTF8';", the first entry of all.
void ArchiveParser::set_encoding() {
  const auto start = text_.find('\'');
  if (start == text_.npos) return;
  contents_.encoding = text_.substr(start + 1, text_.find('\'', start + 1) - start - 1);
  contents_.database = to_utf8(contents_.database, contents_.encoding);
}

void ArchiveParser::follow() {
  switch (step_) {
    case Step::count:
      if (entries_left_ == 0 && listener_) listener_->on_contents(contents_);
      return begin(entries_left_ == 0 ? Step::block_type : Step::entry_id);
    case Step::access_method:
      return begin(contents_.version_minor < 16 ? Step::owner : Step::relation_kind);
    case Step::dependency:
      return begin(text_is_null_ ? Step::offset_state : Step::dependency);
    case Step::block_entry:
      return begin(large_objects_block_ ? Step::large_object : Step::chunks);
    case Step::large_object:
      if (large_object_ != 0) return begin(Step::chunks);
      block_ = nullptr;
      return begin(Step::block_type);
    default:
      return begin(static_cast<Step>(static_cast<int>(step_) + 1));
  }
}

void ArchiveParser::end_of_entry() {
  ++contents_.objects[entry_.kind];
  if (!entry_.owner.empty()) contents_.owners.insert(to_utf8(entry_.owner, contents_.encoding));
  if (entry_.has_data) {
    DataEntry data{.seen = false, .large_objects = entry_.kind == "BLOBS", .table = 0};
    if (!data.large_objects) {
      std::optional<TableData> table =
          parse_copy_statement(to_utf8(entry_.copy, contents_.encoding));
      if (entry_.kind != "TABLE DATA" || !table)
        damaged(fmt::format("the data of a '{}' are not COPY text", entry_.kind));
      // Partitions that pg_dump loads through their root count as the root's rows.
      const auto [known, added] = table_by_name_.try_emplace(std::pair(table->schema, table->name),
                                                             contents_.tables.size());
      if (added) contents_.tables.push_back(std::move(*table));
      data.table = known->second;
    }
    if (!data_.try_emplace(entry_.id, data).second) damaged("two entries of one number");
  }
  if (listener_) keep_entry();
  begin(--entries_left_ == 0 ? Step::block_type : Step::entry_id);
  if (entries_left_ == 0 && listener_) listener_->on_contents(contents_);
}

void ArchiveParser::keep_entry() {
  const auto name = [&](const std::string& text) { return to_utf8(text, contents_.encoding); };
  contents_.entries.push_back({entry_.id, entry_.kind, name(entry_.schema), name(entry_.tag),
                               name(entry_.owner), entry_.has_data, entry_.depends_on});
}

void ArchiveParser::begin_block(std::int64_t entry) {
  const auto found = data_.find(entry);
  if (found == data_.end()) damaged("data of no entry");
  if (found->second.seen) damaged("data of one entry twice");
  if (found->second.large_objects != large_objects_block_) damaged("data of another kind");
  found->second.seen = true;
  block_ = &found->second;
  chunk_left_ = 0;
  if (listener_ && !block_->large_objects)
    listener_->begin_rows(entry, contents_.tables[block_->table]);
}

void ArchiveParser::on_chunk(ByteView piece) {
  if (!large_objects_block_) {
    if (listener_) listener_->rows(piece);
    return rows_.feed(piece);
  }
  contents_.large_objects.bytes += piece.size();
  if (large_object_sha_) large_object_sha_->update(piece);
}

void ArchiveParser::end_of_stretch() {
  if (!large_objects_block_) {
    rows_.finish(contents_.tables[block_->table]);
    if (listener_) listener_->end_rows();
    block_ = nullptr;
    return begin(Step::block_type);
  }
  if (large_object_sha_) {
    const std::string row =
        fmt::format("{}:{}", large_object_, to_hex(large_object_sha_->finish()));
    contents_.large_objects.digest.add(as_bytes(row));
    large_object_sha_.reset();
  }
  begin(Step::large_object);
}

std::int64_t ArchiveParser::integer(const std::byte* at) const {
  std::int64_t value = 0;
  for (int i = 4; i >= 1; --i) value = value << 8 | std::to_integer<int>(at[i]);
  if (at[0] > std::byte{1}) damaged("an integer's sign");
  if (value > std::int64_t{std::numeric_limits<std::int32_t>::max()} + (at[0] == std::byte{1}))
    damaged("an integer out of range");
  return at[0] == std::byte{1} ? -value : value;
}

void ArchiveParser::damaged(std::string_view what) const {
  throw Error(ErrorCode::integrity,
              fmt::format("the dump is damaged near byte {}: {}", offset_, what));
}

}  // namespace bkp
