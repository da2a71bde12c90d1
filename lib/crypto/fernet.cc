#include "crypto/fernet.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "crypto/digest.h"

namespace bkp {
namespace {

constexpr std::size_t kHead = 25;  // version, timestamp, IV
constexpr std::size_t kIvAt = 9;
constexpr std::size_t kBlock = 16;
constexpr std::size_t kMac = 32;
constexpr std::size_t kChunk = std::size_t{48} << 10;  // plain bytes of a read; a multiple of 3
constexpr std::byte kVersion{0x80};

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

// 64: no digit of either alphabet.
unsigned digit_of(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a') + 26;
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0') + 52;
  if (c == '-' || c == '+') return 62;
  if (c == '_' || c == '/') return 63;
  return 64;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// The bytes of a file of base64 in order.
class TokenReader {
 public:
  TokenReader(int file, std::uint64_t digits, const std::string& name)
      : file_(file), digits_(digits), name_(name), text_(kChunk / 3 * 4) {}

  static std::uint64_t size_of(std::uint64_t digits) { return digits * 3 / 4; }

  // Up to kChunk bytes; empty at the end.
  ByteView next() {
    check_interrupt();
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(text_.size(), digits_ - at_));
    for (std::size_t have = 0; have < wanted;) {
      const ssize_t count =
          ::pread(file_, text_.data() + have, wanted - have, static_cast<off_t>(at_ + have));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_errno("cannot read '" + name_ + "'");
      if (count == 0)
        throw Error(ErrorCode::integrity,
                    fmt::format("'{}' became shorter while it was read", name_));
      have += static_cast<std::size_t>(count);
    }
    plain_.clear();
    unsigned bits = 0, value = 0;
    for (std::size_t i = 0; i < wanted; ++i) {
      const unsigned digit = digit_of(text_[i]);
      if (digit == 64)
        throw Error(ErrorCode::integrity,
                    fmt::format("'{}' was changed: byte {} is no base64", name_, at_ + i));
      value = (value << 6 | digit) & 0xffffff;
      if ((bits += 6) < 8) continue;
      bits -= 8;
      plain_.push_back(static_cast<std::byte>(value >> bits & 0xff));
    }
    at_ += wanted;
    if (at_ == digits_ && (value & ((1U << bits) - 1)) != 0)
      throw Error(ErrorCode::integrity,
                  fmt::format("'{}' was changed: its last digit is not as it is written", name_));
    return plain_;
  }

 private:
  int file_;
  std::uint64_t digits_;
  const std::string& name_;
  std::uint64_t at_ = 0;
  std::vector<char> text_;
  Bytes plain_;
};

// Incremental HMAC-SHA256.
class Mac {
 public:
  explicit Mac(const Secret& key) {
    EVP_MAC* const kind = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    context_.reset(EVP_MAC_CTX_new(kind));
    EVP_MAC_free(kind);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                     OSSL_PARAM_construct_end()};
    require(context_ && EVP_MAC_init(context_.get(), raw(key.reveal().data()), key.reveal().size(),
                                     parameters) == 1);
  }
  void update(ByteView data) {
    require(EVP_MAC_update(context_.get(), raw(data.data()), data.size()) == 1);
  }
  Digest256 finish() {
    Digest256 out;
    std::size_t size = 0;
    require(EVP_MAC_final(context_.get(), raw(out.data()), &size, out.size()) == 1);
    return out;
  }

 private:
  static void require(bool good) {
    if (!good) throw Error(ErrorCode::failed, "cannot take an HMAC-SHA256");
  }
  struct Free {
    void operator()(EVP_MAC_CTX* it) const { EVP_MAC_CTX_free(it); }
  };
  std::unique_ptr<EVP_MAC_CTX, Free> context_;
};

class Decryption {
 public:
  Decryption(const Secret& key, ByteView iv, bool padded) : context_(EVP_CIPHER_CTX_new()) {
    if (!context_ || EVP_DecryptInit_ex(context_.get(), EVP_aes_128_cbc(), nullptr,
                                        raw(key.reveal().data()), raw(iv.data())) != 1)
      throw Error(ErrorCode::failed, "cannot start AES-128-CBC");
    EVP_CIPHER_CTX_set_padding(context_.get(), padded ? 1 : 0);
  }
  void update(ByteView sealed, Bytes& plain) {
    const std::size_t before = plain.size();
    plain.resize(before + sealed.size() + kBlock);
    int size = 0;
    if (EVP_DecryptUpdate(context_.get(), raw(plain.data() + before), &size, raw(sealed.data()),
                          static_cast<int>(sealed.size())) != 1)
      throw Error(ErrorCode::failed, "cannot go on with AES-128-CBC");
    plain.resize(before + static_cast<std::size_t>(size));
  }
  bool finish(Bytes& plain) {  // false: its padding is none
    const std::size_t before = plain.size();
    plain.resize(before + kBlock);
    int size = 0;
    const bool good = EVP_DecryptFinal_ex(context_.get(), raw(plain.data() + before), &size) == 1;
    plain.resize(before + (good ? static_cast<std::size_t>(size) : 0));
    return good;
  }

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* it) const { EVP_CIPHER_CTX_free(it); }
  };
  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

struct OpenedFile {
  Fd fd;
  std::uint64_t digits = 0;  // of base64, without what ends the file
};

Error cut_short(const std::string& name, std::string_view how) {
  return {ErrorCode::integrity, fmt::format("'{}' is cut short: {}", name, how)};
}

OpenedFile open_token(const std::filesystem::path& path) {
  const std::string name = path.string();
  OpenedFile opened{Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), 0};
  struct stat status {};
  if (!opened.fd || ::fstat(opened.fd.get(), &status) != 0)
    throw_errno("cannot open '" + name + "'");
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::failed, fmt::format("'{}' is not a file", name),
                "it is read twice: write what a pipe gives into a file first");
  std::uint64_t size = static_cast<std::uint64_t>(status.st_size);
  char tail[16], first = 0;
  const auto begin = size > sizeof tail ? size - sizeof tail : 0;
  const ssize_t got = ::pread(opened.fd.get(), tail, sizeof tail, static_cast<off_t>(begin));
  if (got < 0 || ::pread(opened.fd.get(), &first, 1, 0) < 0)
    throw_errno("cannot read '" + name + "'");
  if (size == 0) throw cut_short(name, "it is empty");
  std::string_view end(tail, static_cast<std::size_t>(got));
  while (!end.empty() && is_blank(end.back())) end.remove_suffix(1), --size;
  std::uint64_t padding = 0;
  while (!end.empty() && end.back() == '=') end.remove_suffix(1), --size, ++padding;
  // The version's 0x80 and the timestamp's first byte, zero for a long time to come.
  if (first != 'g')
    throw Error(ErrorCode::failed,
                fmt::format("'{}' is no Fernet token: it does not begin as one", name));
  const std::uint64_t bytes = TokenReader::size_of(size);
  if ((size + padding) % 4 != 0) throw cut_short(name, "its base64 ends in the middle");
  if (bytes < kHead + kBlock + kMac) throw cut_short(name, fmt::format("it has {} bytes", bytes));
  if ((bytes - kHead - kMac) % kBlock != 0) throw cut_short(name, "it ends within a block");
  opened.digits = size;
  return opened;
}

}  // namespace

FernetKey parse_fernet_key(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  if (text.size() == 44 && text.back() == '=') text.remove_suffix(1);
  std::array<std::byte, 32> bytes;
  std::size_t count = 0;
  unsigned bits = 0, value = 0;
  bool good = text.size() == 43;
  for (const char c : text) {
    const unsigned digit = digit_of(c);
    good = good && digit != 64;
    value = (value << 6 | (digit & 63)) & 0xffff;
    if ((bits += 6) < 8) continue;
    bits -= 8;
    if (count < bytes.size()) bytes[count++] = static_cast<std::byte>(value >> bits & 0xff);
  }
  if (!good)
    throw Error(ErrorCode::usage, "that is not a Fernet key",
                "it is 32 bytes in base64: 44 characters, the last one '='");
  FernetKey key{Secret(ByteView(bytes).first(16)), Secret(ByteView(bytes).last(16))};
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

struct FernetSource::State {
  State(const std::filesystem::path& path, FernetKey both)
      : name(path.string()),
        key(std::move(both)),
        opened(open_token(path)),
        size(TokenReader::size_of(opened.digits)) {
    prove();
    reader.emplace(opened.fd.get(), opened.digits, name);
    mac.emplace(key.signing);
  }

  // The first pass: nothing is given out before it.
  void prove() {
    TokenReader all(opened.fd.get(), opened.digits, name);
    Mac whole(key.signing);
    Bytes end;
    std::uint64_t seen = 0;
    for (ByteView part = all.next(); !part.empty(); part = all.next()) {
      if (start.size() < kHead + kBlock)
        append(start, part.first(std::min(part.size(), kHead + kBlock - start.size())));
      const std::uint64_t signed_left = size - kMac > seen ? size - kMac - seen : 0;
      const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), signed_left));
      whole.update(part.first(here));
      append(end, part.subspan(here));
      seen += part.size();
    }
    if (start.front() != kVersion)
      throw Error(ErrorCode::failed,
                  fmt::format("'{}' is no Fernet token: it does not begin as one", name));
    tag = whole.finish();
    if (!equal_digests(tag, end)) throw unproved();
  }

  // A wrong HMAC does not tell why; the first block, which is that of a gzip file or of an archive,
  // tells whether the key is right.
  Error unproved() const {
    Bytes first;
    Decryption block(key.encryption, ByteView(start).subspan(kIvAt, kBlock), false);
    block.update(ByteView(start).subspan(kHead, kBlock), first);
    const bool known =
        as_text(first).starts_with("\x1f\x8b\x08") || as_text(first).starts_with("PGDMP");
    if (known)
      return {ErrorCode::integrity,
              fmt::format("'{}' was changed, or is cut short: its HMAC is wrong", name),
              "the key is the right one: try another copy of the file"};
    return {ErrorCode::failed, fmt::format("'{}' does not open by this key", name),
            "the key is another one's, or the first bytes of the file are damaged"};
  }

  // The next plain bytes; the last ones only when the HMAC was right again.
  void go_on() {
    plain.clear();
    taken = 0;
    const ByteView part = reader->next();
    if (part.empty()) {
      ended = true;
      return;
    }
    const std::uint64_t signed_left = size - kMac > at ? size - kMac - at : 0;
    const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), signed_left));
    mac->update(part.first(here));
    std::size_t from = 0;
    if (at == 0) {
      from = kHead;
      decryption.emplace(key.encryption, part.subspan(kIvAt, kBlock), true);
    }
    if (here > from) decryption->update(part.subspan(from, here - from), plain);
    at += part.size();
    if (at < size - kMac || done) return;
    done = true;
    const bool same = equal_digests(mac->finish(), tag);
    if (!same)
      throw Error(ErrorCode::integrity, fmt::format("'{}' was changed while it was read", name));
    if (!decryption->finish(plain))
      throw Error(ErrorCode::integrity, fmt::format("'{}' ends in a damaged block", name));
  }

  std::string name;
  FernetKey key;
  OpenedFile opened;
  std::uint64_t size;
  Bytes start;      // head and first block
  Digest256 tag{};  // that was right in the first pass
  std::optional<TokenReader> reader;
  std::optional<Mac> mac;
  std::optional<Decryption> decryption;
  std::uint64_t at = 0;
  Bytes plain;
  std::size_t taken = 0;
  bool done = false, ended = false;
};

FernetSource::FernetSource(const std::filesystem::path& file, const FernetKey& key)
    : state_(std::make_unique<State>(file, key)) {}
FernetSource::~FernetSource() = default;

std::size_t FernetSource::read(std::span<std::byte> out) {
  while (state_->taken == state_->plain.size()) {
    if (state_->ended) return 0;
    state_->go_on();
  }
  const std::size_t count = std::min(out.size(), state_->plain.size() - state_->taken);
  std::copy_n(state_->plain.begin() + static_cast<std::ptrdiff_t>(state_->taken), count,
              out.begin());
  state_->taken += count;
  return count;
}

}  // namespace bkp
