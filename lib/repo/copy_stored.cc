#include "repo/copy_stored.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "crypto/measured.h"
#include "repo/layout.h"

namespace bkp {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;

// A trouble of the storage that is read, as opposed to one of that which is written.
struct BadSource {
  CopyState state;
  std::string problem;
};

class Copier {
 public:
  Copier(const Repository& repository, const Manifest& manifest, std::string to, Log& log)
      : repository_(repository), manifest_(manifest), to_(std::move(to)), log_(log) {}

  void copy_object(const StoredObject& object, const std::string& from) {
    std::unique_ptr<Source> source;
    try {
      source = repository_.storage(from).open(object.name);
    } catch (const Error& error) {
      check_interrupt();
      throw BadSource{CopyState::failed, error.message()};
    }
    if (!source) {
      repository_.require_own(from);
      throw BadSource{CopyState::missing, fmt::format("object '{}' is missing", object.name)};
    }
    MeasuredSource measured(*source);
    CreateOptions options;
    options.expected_size = object.size;
    options.if_exists = IfExists::replace;
    const std::unique_ptr<Sink> sink = repository_.storage(to_).create(object.name, options);
    Bytes block(kBlock);
    while (const std::size_t count = read(measured, block)) {
      check_interrupt();
      if (measured.size() > object.size) break;  // no more of it than there should be
      sink->write(ByteView(block).first(count));
      log_.progress("sync to " + to_, done_ + measured.size(), manifest_.stored_size());
    }
    if (measured.size() != object.size || measured.digest() != object.sha256)
      throw BadSource{CopyState::damaged,
                      fmt::format("object '{}' is not what was stored", object.name)};
    sink->finish();
    done_ += object.size;
  }

  // The manifest's own bytes: keys may have been added to it since.
  std::string manifest_text(const std::string& from) const {
    const std::string name = manifest_name(stem());
    std::optional<Bytes> text;
    try {
      text = read_object(repository_.storage(from), name, kMaxManifest);
      if (!text) repository_.require_own(from);
    } catch (const Error& error) {
      check_interrupt();
      throw BadSource{CopyState::failed, error.message()};
    }
    if (!text) throw BadSource{CopyState::missing, fmt::format("manifest '{}' is missing", name)};
    try {
      const Manifest found = decode_manifest(as_text(*text), repository_.keys());
      if (found.id != manifest_.id || found.stored_size() != manifest_.stored_size() ||
          found.checksum() != manifest_.checksum())
        throw Error(ErrorCode::integrity, "it is another backup's");
    } catch (const Error& error) {
      throw BadSource{CopyState::damaged, fmt::format("manifest '{}': {}", name, error.message())};
    }
    return std::string(as_text(*text));
  }

  void write_manifest(const std::string& text) {
    write_object(repository_.storage(to_), manifest_name(stem()), as_bytes(text),
                 IfExists::replace);
  }

 private:
  std::string stem() const { return stem_of(manifest_.objects.front().name); }

  static std::size_t read(Source& source, Bytes& block) {
    try {
      return source.read(block);
    } catch (const Error& error) {
      check_interrupt();
      throw BadSource{error.code() == ErrorCode::integrity ? CopyState::damaged : CopyState::failed,
                      error.message()};
    }
  }

  const Repository& repository_;
  const Manifest& manifest_;
  std::string to_;
  Log& log_;
  std::uint64_t done_ = 0;
};

// Does `work` with the first storage that serves.
template <typename Work>
void with_a_source(const std::vector<std::string>& from, std::vector<CopyCheck>& bad,
                   std::vector<std::string>& served_by, const Manifest& manifest, Work&& work) {
  std::vector<CopyCheck> found;
  for (const std::string& storage : from) {
    const bool silent = std::any_of(bad.begin(), bad.end(), [&](const CopyCheck& copy) {
      return copy.storage == storage && copy.state == CopyState::failed;
    });
    if (silent) continue;  // it is not waited for again
    try {
      work(storage);
      if (std::find(served_by.begin(), served_by.end(), storage) == served_by.end())
        served_by.push_back(storage);
      bad.insert(bad.end(), found.begin(), found.end());
      return;
    } catch (const BadSource& trouble) {
      found.push_back({storage, trouble.state, trouble.problem, 0, ""});
    }
  }
  bad.insert(bad.end(), found.begin(), found.end());
  std::string message = fmt::format("no storage has backup '{}' whole", manifest.id.text());
  ErrorCode code = ErrorCode::failed;
  for (const CopyCheck& copy : bad) {
    message += fmt::format("; in '{}': {}", copy.storage, copy.problem);
    if (copy.state != CopyState::failed) code = ErrorCode::integrity;
  }
  throw Error(code, message);
}

}  // namespace

std::vector<std::string> copy_stored(const Repository& repository, const Manifest& manifest,
                                     const std::vector<std::string>& from, const std::string& to,
                                     Log& log, std::vector<CopyCheck>& bad) {
  repository.require_own(to);
  std::vector<std::string> sources;
  for (const std::string& storage : from)
    if (storage != to) sources.push_back(storage);
  std::vector<std::string> served_by;
  Copier copier(repository, manifest, to, log);
  // Known to be there before anything is sent.
  std::string text;
  with_a_source(sources, bad, served_by, manifest,
                [&](const std::string& storage) { text = copier.manifest_text(storage); });
  for (const StoredObject& object : manifest.objects)
    with_a_source(sources, bad, served_by, manifest,
                  [&](const std::string& storage) { copier.copy_object(object, storage); });
  copier.write_manifest(text);
  return served_by;
}

}  // namespace bkp
