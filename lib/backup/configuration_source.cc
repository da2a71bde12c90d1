#include "backup/configuration_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/interrupt.h"
#include "base/utf8.h"
#include "stream/memory_stream.h"

namespace bkp {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;

// One entry with its content, not yet read to its end.
struct Prepared {
  ConfigurationEntry entry;
  std::unique_ptr<FileContent> content;  // of a file that is not sealed
  Bytes bytes;                           // of any other
};

// Goes through a plan and prepares one entry after the other. What cannot be taken is left out.
class Preparing {
 public:
  // Seals what is secret, or (for a survey) only proves it.
  using Seal = std::function<Bytes(std::string_view path, ByteView plain)>;

  Preparing(const ConfigurationPlan& plan, TimePoint now, Seal seal)
      : plan_(plan), now_(now), seal_(std::move(seal)) {
    left_out_ = plan.scan.left_out;
    left_out_.insert(left_out_.end(), plan.server.left_out.begin(), plan.server.left_out.end());
  }

  std::optional<Prepared> next() {
    if (server_ <= plan_.server.files.size() && !plan_.server.files.empty())
      return of_server(server_++);
    while (file_ < plan_.scan.files.size()) {
      check_interrupt();
      const FoundFile& file = plan_.scan.files[file_++];
      try {
        Prepared prepared = of_host(file);
        if (file.secret) proofs_[file.tar.path] = *prepared.entry.secret;
        return prepared;
      } catch (const FileTrouble& trouble) {
        leave_out(file, trouble.message(), trouble.counted);
      }
    }
    return std::nullopt;
  }

  std::vector<LeftOut> left_out() const { return left_out_; }

 private:
  Prepared of_server(std::size_t index) const {
    Prepared prepared;
    TarEntry& tar = prepared.entry.tar;
    tar.path = kServerDirectory;
    tar.type = index == 0 ? FileType::directory : FileType::file;
    tar.mode = index == 0 ? 0700 : 0600;
    tar.uid = ::geteuid();
    tar.gid = ::getegid();
    tar.mtime = std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count();
    if (index == 0) return prepared;
    const ServerState::File& file = plan_.server.files[index - 1];
    tar.path += "/" + file.name;
    prepared.bytes = to_bytes(file.content);
    tar.size = prepared.bytes.size();
    prepared.entry.sha256 = sha256(prepared.bytes);
    return prepared;
  }

  Prepared of_host(const FoundFile& file) {
    Prepared prepared;
    prepared.entry.tar = file.tar;
    TarEntry& tar = prepared.entry.tar;
    if ((tar.path + "/").starts_with(std::string(kServerDirectory) + "/"))
      throw FileTrouble("what the server says is kept under this name");
    if (tar.type == FileType::hard_link) {
      if (const auto out = reasons_.find(tar.link); out != reasons_.end())
        throw FileTrouble(out->second.first, out->second.second);
      if (file.secret) prepared.entry.secret = proofs_.at(tar.link);
    }
    if (tar.type != FileType::file) return prepared;
    if (std::find(plan_.unsteady.begin(), plan_.unsteady.end(), tar.path) != plan_.unsteady.end())
      throw FileTrouble("it kept changing while it was read");
    if (file.secret && !plan_.secret_keys)
      throw FileTrouble("it is secret, and no secrets_key_file is set", !file.implied);
    if (file.secret && tar.size > kLargestSecret) throw FileTrouble("it is too large for a secret");
    auto content = std::make_unique<FileContent>(tar, plan_.forbidden);
    prepared.entry.sha256 = content->sha256();
    if (file.secret)
      make_secret(prepared, *content);
    else
      prepared.content = std::move(content);
    return prepared;
  }

  void make_secret(Prepared& prepared, FileContent& content) const {
    if (prepared.entry.tar.size > kLargestSecret) throw FileTrouble("it is too large for a secret");
    Bytes plain(prepared.entry.tar.size);
    for (std::size_t at = 0; at < plain.size();) {
      const std::size_t count = content.read(std::span(plain).subspan(at));
      at += count;
    }
    prepared.entry.secret = prove_secret(plain, *plan_.secret_keys);
    prepared.bytes = seal_(prepared.entry.tar.path, plain);
    prepared.entry.sha256 = sha256(prepared.bytes);
  }

  void leave_out(const FoundFile& file, const std::string& reason, bool counted) {
    reasons_[file.tar.path] = {reason, counted};
    left_out_.push_back({"/" + file.tar.path, reason, counted});
  }

  const ConfigurationPlan& plan_;
  TimePoint now_;
  Seal seal_;
  std::size_t server_ = 0, file_ = 0;
  std::vector<LeftOut> left_out_;
  std::map<std::string, std::pair<std::string, bool>> reasons_;
  std::map<std::string, SecretProof> proofs_;
};

}  // namespace

Configuration survey(const ConfigurationPlan& plan, TimePoint now) {
  Configuration configuration;
  Preparing preparing(plan, now, [](std::string_view, ByteView) { return Bytes(); });
  while (std::optional<Prepared> prepared = preparing.next())
    configuration.entries.push_back(std::move(prepared->entry));
  configuration.left_out = preparing.left_out();
  return configuration;
}

struct ConfigurationSource::State {
  State(const ConfigurationPlan& from, const Manifest& begun, Suite suite, WorkerPool& pool,
        ConfigurationOutcome& outcome)
      : cluster(begun.cluster_uuid),
        backup(begun.id),
        plan(from),
        preparing(
            from, begun.created_at,
            [this, suite, &pool](std::string_view path, ByteView plain) {
              return seal_secret({cluster, backup, path}, plain, *plan.secret_keys, suite, pool);
            }),
        configuration(outcome.configuration),
        changed(outcome.changed) {
    outcome = {};
  }

  // Writes some more of the archive.
  void advance() {
    if (content) return write_content();
    std::optional<Prepared> prepared = preparing.next();
    if (!prepared) {
      configuration.left_out = preparing.left_out();
      writer.finish();
      ended = true;
      return;
    }
    TarEntry stored = prepared->entry.tar;
    stored.path = prepared->entry.stored_path();
    if (stored.type == FileType::hard_link && prepared->entry.secret) stored.link += kSealedEnding;
    if (prepared->entry.secret) stored.size = prepared->bytes.size();
    writer.begin(stored);
    writer.write(prepared->bytes);
    content = std::move(prepared->content);
    configuration.entries.push_back(std::move(prepared->entry));
  }

  void write_content() {
    Bytes buffer(kPiece);
    try {
      const std::size_t count = content->read(buffer);
      if (count == 0) content.reset();
      writer.write(ByteView(buffer).first(count));
    } catch (const FileTrouble& trouble) {
      changed = configuration.entries.back().tar.path;
      throw Error(ErrorCode::failed,
                  fmt::format("'/{}': {}", valid_utf8(*changed), trouble.message()));
    }
  }

  Uuid cluster, backup;
  const ConfigurationPlan& plan;
  Preparing preparing;
  TarWriter writer;
  Configuration& configuration;
  std::optional<std::string>& changed;
  std::unique_ptr<FileContent> content;
  std::size_t at = 0;  // in what the writer has pending
  bool ended = false;
};

ConfigurationSource::ConfigurationSource(const ConfigurationPlan& plan, const Manifest& begun,
                                         Suite suite, WorkerPool& pool,
                                         ConfigurationOutcome& outcome)
    : state_(std::make_unique<State>(plan, begun, suite, pool, outcome)) {}
ConfigurationSource::~ConfigurationSource() = default;

std::size_t ConfigurationSource::read(std::span<std::byte> out) {
  State& state = *state_;
  Bytes& pending = state.writer.pending();
  if (state.at == pending.size()) {
    pending.clear();
    state.at = 0;
  }
  while (pending.empty() && !state.ended) state.advance();
  const std::size_t count = std::min(out.size(), pending.size() - state.at);
  std::copy_n(pending.begin() + static_cast<std::ptrdiff_t>(state.at), count, out.begin());
  state.at += count;
  return count;
}

void ConfigurationSource::describe(Manifest& manifest) const {
  const ServerState& server = state_->plan.server;
  manifest.details = encode_configuration(state_->configuration);
  manifest.system_identifier = server.system_identifier;
  if (server.version != 0)
    manifest.server_version = fmt::format("{}.{}", server.version / 10000, server.version % 10000);
  manifest.archive_version = "pax";
}

std::string ConfigurationSource::current_part() const {
  const Configuration& configuration = state_->configuration;
  return configuration.entries.empty()
             ? ""
             : valid_utf8(shown_path(configuration.entries.back().tar.path));
}

}  // namespace bkp
