#include <fmt/format.h>

#include "base/units.h"
#include "base/utf8.h"
#include "recovery/proof_report.h"

namespace bkp {
namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--ink:#1c2024;--paper:#fff;--soft:#6b7280;--line:#e2e5e9;
--ok:#18794e;--warning:#8a5a00;--failed:#c62a2f}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#16181a;--soft:#9ba1a6;
--line:#2f3336;--ok:#4cc38a;--warning:#f1a10d;--failed:#ff6369}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;
color:var(--ink);background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:.5rem 0}h2{font-size:1.15rem;margin:0}
section{border:1px solid var(--line);border-radius:.5rem;padding:1rem;margin:1rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.75rem 0}
dt{color:var(--soft)}dd{margin:0}ul{list-style:none;margin:0;padding:0}
li{border-top:1px solid var(--line);padding:.5rem 0}
.mark{font-weight:600}.ok{color:var(--ok)}.warning{color:var(--warning)}
.failed{color:var(--failed)}.check{color:var(--soft)}code{font-size:.95em}
footer{color:var(--soft);font-size:.85rem}
@media(max-width:30rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}
)";

// Text that stays text wherever it stands: between tags and in attributes.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
  return out;
}

std::string fact(std::string_view name, std::string_view value) {
  return value.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escaped(value));
}

std::string verdict(const ProofReport& report) {
  if (!report.proved())
    return fmt::format(
        "<span class=\"mark failed\">{}</span>",
        report.error->code() == ErrorCode::integrity ? "faulty" : "not tried to the end");
  const std::size_t warnings = count(report.findings, ProofLevel::warning);
  return fmt::format("<span class=\"mark ok\">proved</span>{}",
                     warnings == 0
                         ? ""
                         : fmt::format(" <span class=\"mark warning\">{} warning{}</span>",
                                       warnings, warnings == 1 ? "" : "s"));
}

std::string finding_item(const ProofFinding& finding) {
  const std::string_view level = to_text(finding.level);
  return fmt::format(
      "<li><span class=\"mark {0}\">{0}</span> <span class=\"check\">{1}</span> {2}{3}</li>\n",
      level, escaped(finding.check),
      finding.object.empty() ? "" : fmt::format("<code>{}</code> ", escaped(finding.object)),
      escaped(finding.text));
}

std::string section(const ProofReport& report) {
  const BackupRecord& backup = report.backup;
  const RestoreRecord& record = report.record;
  std::string html = fmt::format("<section>\n<h2>Database {}: {}</h2>\n<dl>\n",
                                 escaped(backup.database), verdict(report));
  html += fact("Backup", backup.id);
  html += fact("Made", format_local(backup.created_at));
  html += fact("Tried", format_local(record.started_at));
  html += fact("Took", format_duration(std::chrono::duration<double>(record.duration_seconds)));
  html += fact("From", record.source_storage);
  html += fact("On", report.server);
  html += fact("Size", format_size(record.bytes));
  html += fact("Rows", std::to_string(record.rows));
  html += fact("By", record.actor + " on " + record.host);
  if (report.error) html += fact("Failed", report.error->message());
  if (report.error) html += fact("Hint", report.error->hint());
  html += "</dl>\n<ul>\n";
  for (const ProofLevel level : {ProofLevel::failed, ProofLevel::warning, ProofLevel::ok})
    for (const ProofFinding& finding : report.findings)
      if (finding.level == level) html += finding_item(finding);
  return html + "</ul>\n</section>\n";
}

}  // namespace

std::string proof_html(const std::vector<ProofReport>& reports, const std::string& cluster,
                       TimePoint now) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>Test restores of {0}</title>\n<style>{1}</style>\n</head>\n<body>\n"
      "<h1>Test restores of {0}</h1>\n",
      escaped(cluster), kStyle);
  if (reports.empty()) html += "<p>There was no backup to restore.</p>\n";
  for (const ProofReport& report : reports) html += section(report);
  return html + fmt::format("<footer>bkp {}, {}</footer>\n</body>\n</html>\n", BKP_VERSION,
                            format_local(now));
}

}  // namespace bkp
