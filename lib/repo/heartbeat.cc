#include "repo/heartbeat.h"

#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::minutes kEvery{10};

class HeartbeatSink : public Sink, public Advancing {
 public:
  HeartbeatSink(std::unique_ptr<Sink> to, Storage& storage, std::string name, Heartbeat heartbeat,
                const Clock& clock)
      : to_(std::move(to)),
        storage_(storage),
        name_(std::move(name)),
        heartbeat_(std::move(heartbeat)),
        clock_(clock) {}

  void write(ByteView data) override {
    const TimePoint now = clock_.now();
    if (now - heartbeat_.heartbeat_at >= kEvery) {
      heartbeat_.heartbeat_at = now;
      write_object(storage_, name_, as_bytes(encode_heartbeat(heartbeat_)), IfExists::replace);
    }
    to_->write(data);
  }
  void finish() override { to_->finish(); }
  std::uint64_t advanced() const override {
    const auto* advancing = dynamic_cast<const Advancing*>(to_.get());
    return advancing == nullptr ? 0 : advancing->advanced();
  }

 protected:
  const Sink& inner() const { return *to_; }

 private:
  std::unique_ptr<Sink> to_;
  Storage& storage_;
  std::string name_;
  Heartbeat heartbeat_;
  const Clock& clock_;
};

class RereadableHeartbeatSink final : public HeartbeatSink, public Rereadable {
 public:
  using HeartbeatSink::HeartbeatSink;
  void read_back(std::uint64_t offset, std::span<std::byte> out) const override {
    dynamic_cast<const Rereadable&>(inner()).read_back(offset, out);
  }
};

}  // namespace

std::string encode_heartbeat(const Heartbeat& heartbeat) {
  Json json;
  json["bkp_inprogress"] = 1;
  json["id"] = heartbeat.id.text();
  json["type"] = to_text(heartbeat.type);
  json["codec"] = codec_name(heartbeat.codec);
  json["host"] = heartbeat.host;
  json["pid"] = heartbeat.pid;
  json["started_at"] = format_utc(heartbeat.started_at);
  json["heartbeat_at"] = format_utc(heartbeat.heartbeat_at);
  return json.dump() + "\n";
}

Heartbeat decode_heartbeat(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("bkp_inprogress").get<int>() != 1)
      throw Error(ErrorCode::integrity, "a heartbeat of an unknown format");
    const std::optional<Uuid> id = Uuid::parse(json.at("id").get<std::string>());
    if (!id) throw Error(ErrorCode::integrity, "a heartbeat without a valid id");
    return {*id,
            parse_backup_type(json.at("type").get<std::string>()),
            parse_codec(json.at("codec").get<std::string>()),
            json.at("host").get<std::string>(),
            json.at("pid").get<std::int64_t>(),
            parse_rfc3339(json.at("started_at").get<std::string>()),
            parse_rfc3339(json.at("heartbeat_at").get<std::string>())};
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::integrity, std::string("a heartbeat is damaged: ") + error.what());
  }
}

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "unknown";
  return name;
}

std::unique_ptr<Sink> keep_heartbeat(std::unique_ptr<Sink> to, Storage& storage, std::string name,
                                     Heartbeat heartbeat, const Clock& clock) {
  if (dynamic_cast<Rereadable*>(to.get()) != nullptr)
    return std::make_unique<RereadableHeartbeatSink>(std::move(to), storage, std::move(name),
                                                     std::move(heartbeat), clock);
  return std::make_unique<HeartbeatSink>(std::move(to), storage, std::move(name),
                                         std::move(heartbeat), clock);
}

}  // namespace bkp
