#include "recovery/proof_findings.h"

#include <catch2/catch.hpp>

using namespace bkp;

namespace {

Soundness sound() {
  Soundness soundness;
  soundness.major = 15;
  soundness.census = {{"tables", 3}, {"indexes", 4}};
  return soundness;
}

std::vector<std::string> lines(const ProofFindings& findings) {
  std::vector<std::string> out;
  for (const ProofFinding& each : findings)
    out.push_back(std::string(to_text(each.level)) + "|" + each.check + "|" + each.object + "|" +
                  each.text);
  return out;
}

using Lines = std::vector<std::string>;

template <typename Judge>
Lines judged(Judge judge) {
  ProofFindings findings;
  judge(findings);
  return lines(findings);
}

}  // namespace

TEST_CASE("rows that are as they were are told with their number, others one by one") {
  const auto rows = [](const Comparison& comparison, const Coverage& coverage) {
    return judged([&](auto& to) { judge_rows(comparison, 2, coverage, to); });
  };
  CHECK(rows({5, {}}, {}) == Lines{"ok|rows||2 tables, 5 rows: every one as it was dumped"});
  Coverage counted;
  counted.digests = false;
  counted.left_out = "rows of tables log";
  CHECK(rows({1, {}}, counted) == Lines{"ok|rows||2 tables, 1 row: as many as were dumped, which "
                                        "took no digests (the dump left out rows of tables log)"});
  CHECK(
      rows({5, {{"table public.a", "5 rows instead of 6"}, {"large objects", "differ"}}}, {}) ==
      Lines{"failed|rows|table public.a|5 rows instead of 6", "failed|rows|large objects|differ"});
}

TEST_CASE("objects are as many as at the source, also those of a kind that is gone or new") {
  const Soundness source = sound();
  Soundness found = sound();
  const auto objects = [&](const std::optional<Soundness>& of, const Coverage& coverage = {}) {
    return judged([&](auto& to) { judge_objects(of, found, coverage, to); });
  };
  CHECK(objects(source) == Lines{"ok|objects||7 objects of 2 kinds, as many as at the source"});
  found.census = {{"tables", 3}, {"views", 1}};
  const Lines different{"failed|objects|indexes|0 instead of 4",
                        "failed|objects|views|1 instead of 0"};
  CHECK(objects(source) == different);
  SECTION("across major versions a difference is no proof of a fault") {
    found.major = 17;
    CHECK(objects(source) ==
          Lines{"warning|objects|indexes|0 instead of 4; PostgreSQL 17 may count "
                "otherwise than 15",
                "warning|objects|views|1 instead of 0; PostgreSQL 17 may count "
                "otherwise than 15"});
  }
  SECTION("what a dump left out is not missed, unless it was rows only") {
    Coverage coverage;
    coverage.left_out = "tables log";
    CHECK(objects(source, coverage) == different);
    coverage.all_objects = false;
    CHECK(objects(source, coverage) ==
          Lines{"ok|objects||not compared: the dump left out tables log"});
  }
  SECTION("an older backup did not count") {
    CHECK(objects({}) ==
          Lines{"warning|objects||not compared: the bkp that made the backup counted none"});
  }
  SECTION("what could not be read is a warning at the source, and a fault here") {
    Soundness blind = sound();
    blind.unread = {"census: permission denied"};
    CHECK(objects(blind) ==
          Lines{"warning|objects||could not be read at the source: census: permission denied"});
    found.unread = {"census: x"};
    CHECK(objects(source) == Lines{"failed|objects||could not be read: census: x"});
  }
}

TEST_CASE("a constraint that is not valid is a fault unless the source had it so") {
  Soundness source = sound(), found = sound();
  const auto constraints = [&](const std::optional<Soundness>& of) {
    return judged([&](auto& to) { judge_constraints(of, found, to); });
  };
  CHECK(constraints(source) == Lines{"ok|constraints||every one is valid"});
  found.not_valid = {"public.a.c"};
  CHECK(constraints(source) ==
        Lines{"failed|constraints|public.a.c|is NOT VALID here, but was valid at the source"});
  CHECK(constraints({}) == Lines{"warning|constraints|public.a.c|is NOT VALID; the backup does not "
                                 "say whether the source had it too"});
  source.not_valid = {"public.a.c"};
  CHECK(constraints(source) ==
        Lines{"warning|constraints|public.a.c|is NOT VALID, as at the source"});
}

TEST_CASE("rows without the row they refer to are a fault under every constraint that was valid") {
  Soundness source = sound();
  ForeignKeyCheck check{"public.a.f", "public.b", true, 0, ""};
  const auto keys = [&](const std::optional<Soundness>& of) {
    return judged([&](auto& to) { judge_foreign_keys(of, {check}, to); });
  };
  CHECK(keys(source) ==
        Lines{"ok|foreign keys||1 foreign key: every row finds the row that it refers to"});
  check.orphans = 2;
  const Lines fault{"failed|foreign keys|public.a.f|2 rows refer to no row of public.b"};
  CHECK(keys(source) == fault);
  CHECK(keys({}) == fault);
  check.valid = false;
  CHECK(keys(source) == fault);
  source.not_valid = {"public.a.f"};
  CHECK(keys(source) == Lines{"warning|foreign keys|public.a.f|2 rows refer to no row of public.b; "
                              "the constraint is NOT VALID"});
  check.problem = "it is of periods";
  CHECK(keys(source) ==
        Lines{"warning|foreign keys|public.a.f|was not looked into: it is of periods"});
}

TEST_CASE("indexes that are broken or invalid are faults, those not looked into a warning") {
  Soundness source = sound(), found = sound();
  IndexChecks checks;
  checks.looked_into = 4;
  const auto indexes = [&](const std::optional<Soundness>& of) {
    return judged([&](auto& to) { judge_indexes(of, found, checks, to); });
  };
  CHECK(indexes(source) ==
        Lines{"ok|indexes||4 btree indexes: every page is sound, every row is found"});
  checks.others = 2;
  CHECK(indexes(source) == Lines{"ok|indexes||4 btree indexes: every page is sound, every row is "
                                 "found (2 of other kinds are valid)"});
  checks.broken = {{"public.i", "lacks matching index tuple"}};
  found.invalid_indexes = {"public.p"};
  CHECK(indexes(source) ==
        Lines{"failed|indexes|public.i|lacks matching index tuple",
              "failed|indexes|public.p|is invalid here, but was valid at the source"});
  checks.broken.clear();
  source.invalid_indexes = {"public.p", "public.q"};
  CHECK(indexes(source) ==
        Lines{"warning|indexes|public.p|is invalid, as at the source",
              "warning|indexes|public.q|was invalid at the source: such an index is in no dump"});
  found.invalid_indexes.clear();
  checks = {"no amcheck", 0, 0, {}};
  CHECK(indexes({}) == Lines{"warning|indexes||none was looked into: no amcheck"});
}

TEST_CASE("a sequence behind its column is a fault unless it came so from the source") {
  Soundness source = sound(), found = sound();
  const auto sequences = [&](const std::optional<Soundness>& of) {
    return judged([&](auto& to) { judge_sequences(of, found, to); });
  };
  CHECK(sequences(source) == Lines{"ok|sequences||none is behind its column"});
  found.low_sequences = {{"public.s", "public.a.id", "6", "300"}};
  const std::string text =
      "sequences|public.s|its next value is 6, but public.a.id has reached 300";
  CHECK(sequences(source) == Lines{"failed|" + text});
  CHECK(sequences({}) ==
        Lines{"warning|" + text + "; the backup does not say whether the source had it too"});
  source.unlooked_sequences = {{"public.s", "6"}};
  CHECK(sequences(source) ==
        Lines{"warning|" + text + "; the source was not asked, it would have taken too long"});
  source.unlooked_sequences = {{"public.s", "301"}};
  CHECK(sequences(source) == Lines{"failed|" + text});
  source.low_sequences = {{"public.s", "public.a.id", "6", "299"}};
  CHECK(sequences(source) == Lines{"warning|" + text + ", as at the source"});
}
