#include "catalog/history.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "catalog/record_json.h"
#include "nlohmann/json.hpp"

using namespace bkp;

namespace {

constexpr const char* kFirst = "0d9c1f2e-0000-4000-8000-000000000001";
constexpr const char* kSecond = "0d9c1f2e-0000-4000-8000-000000000002";
constexpr const char* kThird = "0d9c1f2e-0000-4000-8000-000000000003";

TimePoint at(int hours) {
  return parse_rfc3339("2026-11-20T02:00:00.000001Z") + std::chrono::hours(hours);
}

RunRecord sample_run(const char* id, int hours = 0) {
  RunRecord run;
  run.id = id;
  run.command = "dump";
  run.arguments = "dump --note 'größer'";
  run.host = "db1";
  run.actor = "ops";
  run.pid = 4711;
  run.started_at = at(hours);
  run.finished_at = at(hours + 1);
  run.exit_code = 3;
  run.message = "line one\nline \"two\"";
  run.statistics = R"({"bytes":1})";
  return run;
}

RestoreRecord sample_restore(const char* id, int hours = 0) {
  RestoreRecord restore;
  restore.id = id;
  restore.backup_id = kThird;
  restore.mode = "full";
  restore.source_storage = "r2,local";
  restore.target = "shop_restored";
  restore.reason = "drill";
  restore.actor = "ops";
  restore.host = "db1";
  restore.started_at = at(hours);
  restore.finished_at = at(hours + 1);
  restore.outcome = "DONE";
  restore.error = "none";
  restore.rows = 12;
  restore.bytes = std::uint64_t{1} << 40;
  restore.duration_seconds = 0.1;
  restore.details = R"({"x":[1,2]})";
  return restore;
}

AlertRecord sample_alert(const char* id, int hours = 0) {
  AlertRecord alert;
  alert.id = id;
  alert.dedup_key = "dump:shop";
  alert.type = "BACKUP_FAILURE";
  alert.severity = AlertSeverity::critical;
  alert.state = AlertState::acknowledged;
  alert.message = "it failed";
  alert.backup_id = kThird;
  alert.storage = "r2";
  alert.run_id = kSecond;
  alert.count = 7;
  alert.first_at = alert.last_at = at(hours);
  alert.details = "{}";
  return alert;
}

History sample() {
  History history;
  history.cluster = "shop";
  history.host = "db1";
  history.taken_at = at(0);
  history.runs = {sample_run(kFirst), sample_run(kSecond)};
  history.runs[1].finished_at = std::nullopt;
  history.runs[1].exit_code = std::nullopt;
  history.restores = {sample_restore(kFirst)};
  history.alerts = {sample_alert(kFirst)};
  return history;
}

struct Place {
  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "bkp-history-"};
  Catalog catalog{open_sql_database("sqlite:" + (directory.path() / "catalog.db").string())};
};

template <typename Record>
std::string text_of(const Record& record) {
  return to_json(record).dump();
}

}  // namespace

TEST_CASE("a history comes back as it was, every field") {
  const History history = sample();
  const std::string text = encode_history(history);
  const History back = decode_history(text);
  CHECK(back.cluster == "shop");
  CHECK(back.host == "db1");
  CHECK(back.taken_at == history.taken_at);
  REQUIRE(back.runs.size() == 2);
  REQUIRE(back.restores.size() == 1);
  REQUIRE(back.alerts.size() == 1);
  CHECK(text_of(back.runs[0]) == text_of(history.runs[0]));
  CHECK(text_of(back.runs[1]) == text_of(history.runs[1]));
  CHECK(text_of(back.restores[0]) == text_of(history.restores[0]));
  CHECK(text_of(back.alerts[0]) == text_of(history.alerts[0]));
  CHECK(std::count(text.begin(), text.end(), '\n') == 6);
  History none;
  none.cluster = "shop";
  none.host = "db1";
  CHECK(encode_history(decode_history(encode_history(none))) == encode_history(none));
}

TEST_CASE("a history that is damaged in any way is refused") {
  const std::string good = encode_history(sample());
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t place = text.find(from);
    REQUIRE(place != std::string::npos);
    return text.replace(place, from.size(), to);
  };
  const std::string run = good.substr(
      good.find("{\"run\""), good.find('\n', good.find("{\"run\"")) + 1 - good.find("{\"run\""));
  const std::pair<const char*, std::string> kDamage[] = {
      {"nothing", ""},
      {"a cut in a line", good.substr(0, good.size() - 5)},
      {"a cut between lines", good.substr(0, good.rfind("{\"end\""))},
      {"no last newline", good.substr(0, good.size() - 1)},
      {"a line behind the end", good + run},
      {"an empty line", good + "\n"},
      {"a line twice", changed(run, run + run)},
      {"a line missing", changed(run, "")},
      {"another version", changed("\"bkp_history\":1", "\"bkp_history\":2")},
      {"a header of another kind", changed("bkp_history", "bkp_histories")},
      {"a kind that is not known", changed("{\"run\":", "{\"walk\":")},
      {"two kinds in a line", changed("{\"run\":", "{\"x\":1,\"run\":")},
      {"a field missing", changed("\"command\":\"dump\",", "")},
      {"a field too many", changed("\"command\":\"dump\"", "\"command\":\"dump\",\"more\":1")},
      {"a field of another type", changed("\"pid\":4711", "\"pid\":\"4711\"")},
      {"a number in another spelling", changed("\"pid\":4711", "\"pid\":4711.0")},
      {"a time that is none", changed("\"taken_at\":\"2026", "\"taken_at\":\"20x6")},
      {"a time in another spelling", changed("02:00:00.000001Z", "02:00:00.000001+00:00")},
      {"a state that is not known", changed("ACKNOWLEDGED", "ASLEEP")},
      {"a severity that is not known", changed("CRITICAL", "DIRE")},
      {"a blank more", changed("{\"run\":", "{ \"run\":")},
      {"an escape that is not needed", changed("\"ops\"", "\"\\u006fps\"")},
      {"no UTF-8", changed("ops",
                           "o\xff"
                           "s")},
      {"counts that are wrong", changed("\"runs\":2", "\"runs\":3")},
      {"a list", "[]\n"},
      {"a depth without end", std::string(100'000, '[') + "\n"},
  };
  for (const auto& [what, text] : kDamage) {
    INFO(what);
    try {
      decode_history(text);
      FAIL_CHECK("was accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::integrity);
      CHECK_THAT(error.message(), Catch::StartsWith("the history is damaged: "));
    }
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string text = good;
    text[i] = static_cast<char>(text[i] ^ 0x01);
    bool same = false;
    try {
      same = encode_history(decode_history(text)) != text;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::integrity) same = true;
    }
    if (same) FAIL_CHECK("byte " << i);
  }
}

TEST_CASE("a history holds the newest of the last 90 days, and every alert that is not resolved") {
  Place place;
  place.catalog.put_run(sample_run(kFirst, 0));
  place.catalog.put_run(sample_run(kSecond, -91 * 24));
  place.catalog.put_restore(sample_restore(kFirst, -1));
  place.catalog.put_restore(sample_restore(kSecond, -91 * 24));
  AlertRecord old = sample_alert(kFirst, -91 * 24);
  AlertRecord resolved = sample_alert(kSecond, -91 * 24);
  resolved.state = AlertState::resolved;
  place.catalog.put_alert(old);
  place.catalog.put_alert(resolved);
  const History history = collect_history(place.catalog, at(0));
  REQUIRE(history.runs.size() == 1);
  CHECK(history.runs[0].id == kFirst);
  REQUIRE(history.restores.size() == 1);
  CHECK(history.restores[0].id == kFirst);
  REQUIRE(history.alerts.size() == 1);
  CHECK(history.alerts[0].id == kFirst);
}

TEST_CASE("merging takes what is new and what has gone on, and nothing back") {
  Place place;
  const History history = sample();
  CHECK(merge_history(place.catalog, history) == 4);
  CHECK(merge_history(place.catalog, history) == 0);
  CHECK(place.catalog.runs(10).size() == 2);

  History later = history;
  later.runs[1].finished_at = at(5);
  later.runs[0].message = "rewritten";  // it had ended: what is known stays
  later.alerts[0].last_at = at(1);
  later.alerts[0].count = 8;
  CHECK(merge_history(place.catalog, later) == 2);
  CHECK(merge_history(place.catalog, history) == 0);
  CHECK(place.catalog.alerts({}).at(0).count == 8);
  for (const RunRecord& run : place.catalog.runs(10)) {
    CHECK(run.finished_at);
    CHECK(run.message != "rewritten");
  }

  SECTION("an alert that was resolved here stays resolved") {
    place.catalog.resolve_alert("dump:shop", at(2));
    later.alerts[0].last_at = at(3);
    CHECK(merge_history(place.catalog, later) == 0);
    CHECK(place.catalog.alerts(AlertState::resolved).size() == 1);
  }
  SECTION("an open one of a key that is open here under another id is left out") {
    later.alerts[0].id = kThird;
    CHECK(merge_history(place.catalog, later) == 0);
    CHECK(place.catalog.alerts({}).size() == 1);
  }
}
