#include "tenant/sequences.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "pg/name.h"

namespace bkp {
namespace {

struct State {
  std::int64_t last = 0, least = 0, greatest = 0;
  bool called = false;  // `last` was given out
};

State state_of(PgConnection& connection, const std::string& name) {
  const PgRow row = connection
                        .query(fmt::format("SELECT s.last_value, s.is_called, p.seqmin, p.seqmax "
                                           "FROM {} AS s JOIN pg_sequence AS p ON p.seqrelid = "
                                           "$1::regclass",
                                           name),
                               {name})
                        .at(0);
  return {std::stoll(row.at(0).value()), std::stoll(row.at(2).value()),
          std::stoll(row.at(3).value()), row.at(1) == "t"};
}

// Whether the sequence may still give out `value`.
bool is_before(const State& state, std::int64_t value, bool ascending) {
  if (value < state.least || value > state.greatest) return false;
  if (value == state.last) return !state.called;
  return ascending ? state.last < value : state.last > value;
}

// The furthest value that staged rows bring.
std::optional<std::int64_t> furthest_staged(PgConnection& now, const SequenceShape& sequence,
                                            const StagedTables& tables) {
  std::optional<std::int64_t> furthest;
  for (const auto& [index, column] : sequence.columns) {
    const auto table = tables.find(index);
    if (table == tables.end()) continue;
    const auto& staged = table->second.match().columns;
    if (std::find(staged.begin(), staged.end(), column) == staged.end()) continue;
    const auto value = now.query(fmt::format("SELECT {}({}) FROM {} WHERE what IN ({})",
                                             sequence.ascending ? "max" : "min",
                                             table->second.staged_column(column),
                                             table->second.stage(), table->second.written()))
                           .at(0)
                           .at(0);
    if (!value) continue;
    const std::int64_t number = std::stoll(*value);
    if (!furthest || (sequence.ascending ? number > *furthest : number < *furthest))
      furthest = number;
  }
  return furthest;
}

const SequenceShape* same_sequence(const DatabaseShape& shape, const SequenceShape& wanted) {
  for (const SequenceShape& each : shape.sequences)
    if (each.schema == wanted.schema && each.name == wanted.name &&
        each.ascending == wanted.ascending && !each.cycles)
      return &each;
  return nullptr;
}

}  // namespace

std::vector<SequenceMove> sequences_behind(PgConnection& then, const DatabaseShape& then_shape,
                                           PgConnection& now, const DatabaseShape& now_shape,
                                           const StagedTables& tables) {
  std::vector<SequenceMove> moves;
  for (const SequenceShape& sequence : now_shape.sequences) {
    if (sequence.cycles) continue;
    const std::string name = qualified_name(sequence.schema, sequence.name);
    std::vector<std::int64_t> wanted;
    if (const auto value = furthest_staged(now, sequence, tables)) wanted.push_back(*value);
    if (same_sequence(then_shape, sequence) != nullptr) {
      const State before = state_of(then, name);
      if (before.called) wanted.push_back(before.last);
    }
    State state = state_of(now, name);
    bool moves_on = false;
    for (const std::int64_t value : wanted) {
      if (!is_before(state, value, sequence.ascending)) continue;
      state.last = value;
      state.called = moves_on = true;
    }
    if (moves_on) moves.push_back({name, state.last});
  }
  return moves;
}

void forward_sequences(PgConnection& now, const std::vector<SequenceMove>& moves) {
  for (const SequenceMove& move : moves) {
    // Changes nothing, and takes the lock that nextval() waits for: between looking and setting,
    // others would get numbers that setval() takes back.
    now.execute(fmt::format("ALTER SEQUENCE {} NO CYCLE", move.name));
    const bool ascending = now.query_value(
                               "SELECT seqincrement > 0 FROM pg_sequence WHERE "
                               "seqrelid = $1::regclass",
                               {move.name}) == "t";
    if (is_before(state_of(now, move.name), move.to, ascending))
      now.query("SELECT setval($1::regclass, $2::bigint)", {move.name, std::to_string(move.to)});
  }
}

}  // namespace bkp
