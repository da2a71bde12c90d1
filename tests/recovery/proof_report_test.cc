#include "recovery/proof_report.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace bkp;

namespace {

ProofReport report(std::optional<Error> error = std::nullopt) {
  ProofReport out;
  out.backup.id = "11111111-2222-3333-4444-555555555555";
  out.backup.database = "shop";
  out.record.mode = "proof";
  out.server = "PostgreSQL 15.20";
  out.findings = {{ProofLevel::ok, "rows", "", "2 tables"},
                  {ProofLevel::warning, "sequences", "public.s", "is behind"}};
  if (error) out.findings.push_back({ProofLevel::failed, "indexes", "public.i", "is broken"});
  out.error = std::move(error);
  return out;
}

const Error kFault(ErrorCode::integrity, "index 'i' is broken", "try another");
const Error kDown(ErrorCode::failed, "no server");
const Error kLocked(ErrorCode::locked, "another run");

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("warnings do not keep a backup from being proved; a fault outweighs what was not tried") {
  CHECK(proof_exit_code({}) == 0);
  CHECK(proof_exit_code({report()}) == 0);
  CHECK(proof_exit_code({report(), report(kDown)}) == 1);
  CHECK(proof_exit_code({report(kLocked)}) == 5);
  CHECK(proof_exit_code({report(kDown), report(kFault), report()}) == 4);
}

TEST_CASE("the JSON of a report has its findings, how many of each, and why it failed") {
  const auto json = to_json(report(kFault));
  CHECK(json["database"] == "shop");
  const auto& proof = json["proof"];
  CHECK(proof["outcome"] == "FAULTY");
  CHECK(proof["mode"] == "proof");
  CHECK(proof["warnings"] == 1);
  CHECK(proof["failures"] == 1);
  CHECK(proof["findings"].size() == 3);
  CHECK(proof["findings"][1] == nlohmann::ordered_json({{"level", "warning"},
                                                        {"check", "sequences"},
                                                        {"object", "public.s"},
                                                        {"text", "is behind"}}));
  CHECK(proof["failure"]["code"] == 4);
  CHECK_FALSE(proof.contains("details"));
  CHECK(to_json(report())["proof"]["outcome"] == "PROVED");
  CHECK(to_json(report())["proof"]["failure"].is_null());
  CHECK(to_json(report(kDown))["proof"]["outcome"] == "FAILED");
  ProofReport odd = report();
  odd.findings[0].object = "\xff<";
  CHECK_NOTHROW(to_json(odd).dump());
}

TEST_CASE("the page tells every finding, those that matter first, and leads nowhere") {
  const std::string page = proof_html({report(kFault), report()}, "shop", TimePoint());
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(page.find("name=\"viewport\"") != page.npos);
  CHECK(times(page, "<section>") == 2);
  CHECK(times(page, "<li>") == 5);
  CHECK(page.find("is broken</li>") < page.find("is behind</li>"));
  CHECK(page.find("is behind</li>") < page.find("2 tables</li>"));
  CHECK(page.find(">faulty<") != page.npos);
  CHECK(page.find(">proved</span> <span class=\"mark warning\">1 warning<") != page.npos);
  for (const char* way_out : {"http:", "https:", "src=", "href=", "url(", "@import", "<script"})
    CHECK(page.find(way_out) == page.npos);
  CHECK(proof_html({}, "shop", TimePoint()).find("There was no backup") != page.npos);
}

TEST_CASE("whatever a name holds stays text in the page") {
  const std::string evil = "</code><script>alert('x')</script>\" onload=\"&\x01\xff";
  ProofReport odd = report(Error(ErrorCode::integrity, evil, evil));
  odd.backup.database = odd.backup.id = odd.server = evil;
  odd.record.actor = odd.record.host = odd.record.source_storage = evil;
  odd.findings = {{ProofLevel::failed, evil, evil, evil}};
  const std::string page = proof_html({odd}, evil, TimePoint());
  CHECK(page.find("<script") == page.npos);
  CHECK(page.find("' ") == page.npos);
  CHECK(page.find('\x01') == page.npos);
  CHECK(page.find('\xff') == page.npos);
  CHECK(times(page, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;&amp;?") ==
        13);
}
