#include "stream/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <utility>

#include "base/error.h"

namespace bkp {
namespace {

struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

std::string reason(archive* from) {
  const char* text = archive_error_string(from);
  return text != nullptr ? text : "no reason given";
}

la_ssize_t take(archive*, void* pending, const void* data, std::size_t size) {
  append(*static_cast<Bytes*>(pending), ByteView(static_cast<const std::byte*>(data), size));
  return static_cast<la_ssize_t>(size);
}

mode_t type_bits(FileType type) {
  switch (type) {
    case FileType::directory:
      return AE_IFDIR;
    case FileType::symlink:
      return AE_IFLNK;
    case FileType::file:
    case FileType::hard_link:
      break;
  }
  return AE_IFREG;
}

Entry encode(const TarEntry& from) {
  Entry entry(archive_entry_new());
  archive_entry_copy_pathname(entry.get(), from.path.c_str());
  archive_entry_set_filetype(entry.get(), type_bits(from.type));
  archive_entry_set_perm(entry.get(), from.mode);
  archive_entry_set_uid(entry.get(), from.uid);
  archive_entry_set_gid(entry.get(), from.gid);
  if (!from.user.empty()) archive_entry_copy_uname(entry.get(), from.user.c_str());
  if (!from.group.empty()) archive_entry_copy_gname(entry.get(), from.group.c_str());
  archive_entry_set_mtime(entry.get(), from.mtime, static_cast<long>(from.mtime_ns));
  if (from.type == FileType::file)
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(from.size));
  else
    archive_entry_set_size(entry.get(), 0);
  if (from.type == FileType::symlink) archive_entry_copy_symlink(entry.get(), from.link.c_str());
  if (from.type == FileType::hard_link) archive_entry_copy_hardlink(entry.get(), from.link.c_str());
  return entry;
}

std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

TarEntry decode(archive_entry* from) {
  TarEntry entry;
  entry.path = text_or_empty(archive_entry_pathname(from));
  while (entry.path.size() > 1 && entry.path.back() == '/') entry.path.pop_back();
  entry.mode = archive_entry_perm(from);
  entry.uid = static_cast<std::uint32_t>(archive_entry_uid(from));
  entry.gid = static_cast<std::uint32_t>(archive_entry_gid(from));
  entry.user = text_or_empty(archive_entry_uname(from));
  entry.group = text_or_empty(archive_entry_gname(from));
  entry.mtime = archive_entry_mtime(from);
  entry.mtime_ns = static_cast<std::uint32_t>(archive_entry_mtime_nsec(from));
  entry.size = static_cast<std::uint64_t>(archive_entry_size(from));
  if (const char* target = archive_entry_hardlink(from)) {
    entry.type = FileType::hard_link;
    entry.link = target;
  } else if (archive_entry_filetype(from) == AE_IFLNK) {
    entry.type = FileType::symlink;
    entry.link = text_or_empty(archive_entry_symlink(from));
  } else if (archive_entry_filetype(from) == AE_IFDIR) {
    entry.type = FileType::directory;
  } else if (archive_entry_filetype(from) != AE_IFREG) {
    throw Error(ErrorCode::integrity,
                "the archive's entry '" + entry.path + "' is of a kind that bkp does not store");
  }
  return entry;
}

}  // namespace

struct TarWriter::State {
  ~State() { archive_write_free(to); }

  void require(int result) {
    if (result == ARCHIVE_OK) return;
    throw Error(ErrorCode::failed, "cannot write a tar archive: " + reason(to));
  }
  void require_whole() const {
    if (missing != 0)
      throw Error(ErrorCode::failed, "an entry of a tar archive has fewer bytes than it says");
  }

  archive* to = archive_write_new();
  Bytes pending;
  std::uint64_t missing = 0;  // bytes of the entry that are still to come
};

TarWriter::TarWriter() : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.require(archive_write_set_format_pax(state.to));
  // Names as they are: what they are in, if anything, is the host's business.
  state.require(archive_write_set_format_option(state.to, "pax", "hdrcharset", "BINARY"));
  state.require(archive_write_set_bytes_per_block(state.to, 0));
  state.require(archive_write_open(state.to, &state.pending, nullptr, &take, nullptr));
}

TarWriter::~TarWriter() = default;

void TarWriter::begin(const TarEntry& entry) {
  state_->require_whole();
  const Entry encoded = encode(entry);
  state_->require(archive_write_header(state_->to, encoded.get()));
  state_->missing = entry.type == FileType::file ? entry.size : 0;
}

void TarWriter::write(ByteView data) {
  if (data.size() > state_->missing)
    throw Error(ErrorCode::failed, "an entry of a tar archive has more bytes than it says");
  if (data.empty()) return;
  if (archive_write_data(state_->to, data.data(), data.size()) !=
      static_cast<la_ssize_t>(data.size()))
    throw Error(ErrorCode::failed, "cannot write a tar archive: " + reason(state_->to));
  state_->missing -= data.size();
}

void TarWriter::finish() {
  state_->require_whole();
  state_->require(archive_write_close(state_->to));
}

Bytes& TarWriter::pending() { return state_->pending; }

struct TarReader::State {
  explicit State(Fd from) : file(std::move(from)) {}
  ~State() { archive_read_free(archive_); }

  Error damaged() const {
    return {ErrorCode::integrity, "the tar archive is damaged: " + reason(archive_)};
  }

  Fd file;
  archive* archive_ = archive_read_new();
};

TarReader::TarReader(Fd file) : state_(std::make_unique<State>(std::move(file))) {
  State& state = *state_;
  if (::lseek(state.file.get(), 0, SEEK_SET) != 0) throw_errno("cannot read the tar archive");
  if (archive_read_support_format_tar(state.archive_) != ARCHIVE_OK ||
      archive_read_open_fd(state.archive_, state.file.get(), 64 << 10) != ARCHIVE_OK)
    throw state.damaged();
}

TarReader::~TarReader() = default;

std::optional<TarEntry> TarReader::next() {
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(state_->archive_, &entry);
  if (result == ARCHIVE_EOF) return std::nullopt;
  if (result != ARCHIVE_OK) throw state_->damaged();
  return decode(entry);
}

std::size_t TarReader::read(std::span<std::byte> out) {
  const la_ssize_t count = archive_read_data(state_->archive_, out.data(), out.size());
  if (count < 0) throw state_->damaged();
  return static_cast<std::size_t>(count);
}

}  // namespace bkp
