#include "base/zone.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"

namespace bkp {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

constexpr std::size_t kHeaderSize = 44;
constexpr const char* kHint = "write an offset such as +02:00, or a zone such as Europe/Berlin";

Error damaged() { return {ErrorCode::failed, "a file of the time zone database is damaged"}; }

// Integers and bytes from the front of a TZif file.
class Input {
 public:
  explicit Input(ByteView data) : data_(data) {}
  ByteView take(std::size_t size) {
    if (size > data_.size()) throw damaged();
    const ByteView taken = data_.first(size);
    data_ = data_.subspan(size);
    return taken;
  }
  ByteView take(std::size_t count, std::size_t size) {
    if (count > data_.size() / size) throw damaged();
    return take(count * size);
  }
  ByteView rest() const { return data_; }

 private:
  ByteView data_;
};

struct Header {
  char version;
  std::size_t ut, standard, leap, times, types, characters;
};

Header read_header(Input& input) {
  const ByteView header = input.take(kHeaderSize);
  if (as_text(header.first(4)) != "TZif") throw damaged();
  const auto count = [&](std::size_t i) -> std::size_t {
    return read_be32(header.subspan(20 + 4 * i));
  };
  return {as_text(header)[4], count(0), count(1), count(2), count(3), count(4), count(5)};
}

std::int64_t read_time(ByteView from) {
  if (from.size() == 8) return static_cast<std::int64_t>(read_be64(from));
  return static_cast<std::int32_t>(read_be32(from));
}

bool is_abbreviation(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isupper(c) || std::isdigit(c) || c == '+' || c == '-';
  });
}

// Letters, digits and "_+-" between slashes: nothing that leads out of the database.
bool is_zone_name(std::string_view name) {
  bool empty_part = true;
  for (const char c : name) {
    if (c == '/' && empty_part) return false;
    empty_part = c == '/';
    if (c != '/' && !std::isalnum(static_cast<unsigned char>(c)) &&
        std::string_view("_+-").find(c) == std::string_view::npos)
      return false;
  }
  return !empty_part;
}

}  // namespace

// POSIX's TZ variable with RFC 8536's longer hours: "CET-1CEST,M3.5.0,M10.5.0/3".
class Zone::RuleReader {
 public:
  explicit RuleReader(std::string_view text) : text_(text) {}

  Rule read() {
    Rule rule;
    skip_abbreviation();
    rule.standard = -time();
    if (text_.empty()) return rule;
    rule.has_summer = true;
    skip_abbreviation();
    rule.summer = rule.standard + std::chrono::hours(1);
    if (!text_.empty() && text_.front() != ',') rule.summer = -time();
    rule.start = change();
    rule.end = change();
    if (!text_.empty()) throw damaged();
    return rule;
  }

 private:
  bool accept(char wanted) {
    if (text_.empty() || text_.front() != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) throw damaged();
  }
  int number(int low, int high) {
    int value = 0;
    std::size_t digits = 0;
    for (; !text_.empty() && std::isdigit(static_cast<unsigned char>(text_.front())); ++digits) {
      value = value * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
      if (value > high) throw damaged();
    }
    if (digits == 0 || value < low) throw damaged();
    return value;
  }
  void skip_abbreviation() {
    if (accept('<')) {
      text_.remove_prefix(std::min(text_.find('>'), text_.size()));
      expect('>');
      return;
    }
    const auto end = std::find_if_not(text_.begin(), text_.end(),
                                      [](unsigned char c) { return std::isalpha(c); });
    if (end == text_.begin()) throw damaged();
    text_.remove_prefix(static_cast<std::size_t>(end - text_.begin()));
  }
  Seconds time() {
    const bool negative = accept('-');
    if (!negative) accept('+');
    Seconds value = std::chrono::hours(number(0, 167));
    if (accept(':')) value += std::chrono::minutes(number(0, 59));
    if (accept(':')) value += Seconds(number(0, 59));
    return negative ? -value : value;
  }
  Change change() {
    Change result;
    expect(',');
    if (accept('M')) {
      result.kind = Change::Kind::month_week_day;
      result.month = number(1, 12);
      expect('.');
      result.week = number(1, 5);
      expect('.');
      result.day = number(0, 6);
    } else if (accept('J')) {
      result.kind = Change::Kind::julian;
      result.day = number(1, 365);
    } else {
      result.day = number(0, 365);
    }
    if (accept('/')) result.time = time();
    return result;
  }

  std::string_view text_;
};

sys_seconds Zone::Change::in(year y) const {
  const sys_days new_year = y / std::chrono::January / 1;
  if (kind == Kind::zero_based) return new_year + days(day) + time;
  if (kind == Kind::julian)  // the 29th of February is never counted
    return new_year + days(day - 1 + (y.is_leap() && day >= 60 ? 1 : 0)) + time;
  const std::chrono::weekday weekday(static_cast<unsigned>(day));
  const auto in_month = y / static_cast<int>(month);
  const sys_days date = week == 5 ? sys_days(in_month / weekday[std::chrono::last])
                                  : sys_days(in_month / weekday[static_cast<unsigned>(week)]);
  return date + time;
}

Seconds Zone::Rule::offset_at(sys_seconds time) const {
  if (!has_summer) return standard;
  const year y = std::chrono::year_month_day(floor<days>(time + standard)).year();
  const sys_seconds summer_from = start.in(y)-standard;
  const sys_seconds summer_to = end.in(y)-summer;
  const bool is_summer = summer_from < summer_to ? summer_from <= time && time < summer_to
                                                 : !(summer_to <= time && time < summer_from);
  return is_summer ? summer : standard;
}

Zone Zone::parse(ByteView file) {
  Input input(file);
  Header header = read_header(input);
  std::size_t width = 4;
  if (header.version >= '2') {
    // The first block is for readers of 32 bits.
    input.take(header.times, 5);
    input.take(header.types, 6);
    input.take(header.characters);
    input.take(header.leap, 8);
    input.take(header.standard);
    input.take(header.ut);
    header = read_header(input);
    width = 8;
  }
  const ByteView times = input.take(header.times, width);
  const ByteView kinds = input.take(header.times);
  const ByteView types = input.take(header.types, 6);
  input.take(header.characters);
  input.take(header.leap, width + 4);
  input.take(header.standard);
  input.take(header.ut);
  // Files that count leap seconds ("right/…") are for other clocks than this one.
  if (header.types == 0 || header.leap != 0) throw damaged();
  const auto offset_of = [&](std::size_t type) {
    if (type >= header.types) throw damaged();
    return Seconds(static_cast<std::int32_t>(read_be32(types.subspan(6 * type))));
  };

  Zone zone;
  zone.first_ = offset_of(0);
  for (std::size_t i = 0; i < header.times; ++i) {
    const sys_seconds time(Seconds(read_time(times.subspan(width * i, width))));
    if (i > 0 && time <= zone.transitions_.back().time) throw damaged();
    zone.transitions_.push_back({time, offset_of(static_cast<std::size_t>(kinds[i]))});
  }
  if (width == 4) return zone;
  std::string_view footer = as_text(input.rest());
  if (footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n') throw damaged();
  footer = footer.substr(1, footer.size() - 2);
  zone.has_rule_ = !footer.empty();
  if (zone.has_rule_) zone.rule_ = RuleReader(footer).read();
  return zone;
}

Zone Zone::load(std::string_view name) {
  if (name == "UTC" || name == "GMT") return {};
  const std::string quoted = "'" + std::string(name) + "'";
  if (is_abbreviation(name))
    throw Error(ErrorCode::usage, quoted + " is the abbreviation of no one time zone", kHint);
  const char* variable = std::getenv("TZDIR");
  const std::filesystem::path database(variable && *variable ? variable : "/usr/share/zoneinfo");
  if (!std::filesystem::is_directory(database))
    throw Error(ErrorCode::usage, "there is no time zone database in '" + database.string() + "'",
                "install tzdata, or write an offset such as +02:00");
  const std::filesystem::path path = database / std::string(name);
  if (!is_zone_name(name) || !std::filesystem::is_regular_file(path))
    throw Error(ErrorCode::usage, quoted + " is not a time zone", kHint);
  return parse(as_bytes(read_file(path)));
}

Seconds Zone::offset_at(TimePoint time) const {
  const sys_seconds second = floor<Seconds>(time);
  const auto later = std::upper_bound(
      transitions_.begin(), transitions_.end(), second,
      [](sys_seconds wanted, const Transition& known) { return wanted < known.time; });
  if (later == transitions_.end() && has_rule_) return rule_.offset_at(second);
  return later == transitions_.begin() ? first_ : std::prev(later)->offset;
}

std::vector<TimePoint> Zone::moments(LocalTime time) const {
  std::vector<Seconds> offsets{first_, rule_.standard, rule_.summer};
  for (const Transition& transition : transitions_) offsets.push_back(transition.offset);
  std::sort(offsets.begin(), offsets.end());
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
  std::vector<TimePoint> found;
  for (const Seconds offset : offsets) {
    const TimePoint moment(time.time_since_epoch() - offset);
    if (offset_at(moment) == offset) found.push_back(moment);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace bkp
