#include "pg/tools.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "pg/conninfo.h"

namespace bkp {
namespace {

constexpr std::array kTextSettings = {
    SessionSetting{"timezone", "UTC"},
    SessionSetting{"datestyle", "ISO,MDY"},
    SessionSetting{"intervalstyle", "postgres"},
    SessionSetting{"bytea_output", "hex"},
    SessionSetting{"xmlbinary", "base64"},
    SessionSetting{"lc_monetary", "C"},
    SessionSetting{"extra_float_digits", "3"},
    SessionSetting{"array_nulls", "on"},
    SessionSetting{"quote_all_identifiers", "off"},
};

// Ours come last: of two values of a setting the server takes the later one.
std::string with_options(const Conninfo& conninfo, const std::vector<SessionSetting>& more) {
  const char* environment = std::getenv("PGOPTIONS");
  std::string options = conninfo.get("options").value_or(environment ? environment : "");
  const auto add = [&](const SessionSetting& setting) {
    options += fmt::format("{}-c {}={}", options.empty() ? "" : " ", setting.name, setting.value);
  };
  for (const SessionSetting& setting : kTextSettings) add(setting);
  for (const SessionSetting& setting : more) add(setting);
  return options;
}

// What a client program gets to connect: everything in argv but the password, which others could
// see there.
struct ClientConnection {
  std::string conninfo;
  std::vector<std::pair<std::string, std::string>> environment;
};

ClientConnection client_connection(const std::string& text,
                                   const std::vector<SessionSetting>& settings = {}) {
  Conninfo conninfo(text);
  if (conninfo.get("sslpassword"))
    throw Error(ErrorCode::usage,
                "a conninfo with 'sslpassword' cannot be given to PostgreSQL's programs without "
                "showing it to other users",
                "use a key file without a passphrase, or put sslpassword into a service file");
  ClientConnection out;
  out.environment = {{"LC_ALL", "C"}, {"PGTZ", "UTC"}, {"PGDATESTYLE", "ISO,MDY"}};
  if (const auto password = conninfo.get("password")) {
    out.environment.emplace_back("PGPASSWORD", *password);
    conninfo.remove("password");
  }
  conninfo.set("options", with_options(conninfo, settings));
  out.conninfo = conninfo.text();
  return out;
}

}  // namespace

std::span<const SessionSetting> fixed_text_settings() { return kTextSettings; }

ToolVersion tool_version(const std::filesystem::path& tool) {
  ProcessOptions options;
  options.argv = {tool.string(), "--version"};
  options.environment = {{"LC_ALL", "C"}};
  const std::string output = run_for_output(std::move(options));
  // "pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", "… 18beta1"
  const auto mark = output.find("(PostgreSQL) ");
  ToolVersion version;
  if (mark != std::string::npos) {
    version.text = output.substr(mark + 13);
    version.text.resize(std::min(version.text.find_first_of(" \n"), version.text.size()));
    version.major = std::atoi(version.text.c_str());
  }
  if (version.major == 0)
    throw Error(ErrorCode::failed, fmt::format("'{}' is no program of PostgreSQL: it says '{}'",
                                               tool.string(), output.substr(0, output.find('\n'))));
  return version;
}

ProcessOptions dump_process(const std::filesystem::path& bin_dir, const DumpArguments& arguments) {
  ClientConnection connection = client_connection(arguments.conninfo);
  ProcessOptions options;
  options.environment = std::move(connection.environment);
  options.argv = {(bin_dir / "pg_dump").string(), "--format=custom", "--compress=0",
                  "--no-password"};
  const auto add = [&](const char* name, const std::string& value) {
    options.argv.push_back(fmt::format("--{}={}", name, value));
  };
  if (arguments.lock_wait.count() > 0)
    add("lock-wait-timeout",
        std::to_string(std::chrono::milliseconds(arguments.lock_wait).count()));
  if (!arguments.snapshot.empty()) add("snapshot", arguments.snapshot);
  if (!arguments.encoding.empty()) add("encoding", arguments.encoding);
  for (const std::string& pattern : arguments.exclude_schemas) add("exclude-schema", pattern);
  for (const std::string& pattern : arguments.exclude_tables) add("exclude-table", pattern);
  for (const std::string& pattern : arguments.exclude_table_data)
    add("exclude-table-data", pattern);
  add("dbname", connection.conninfo);
  return options;
}

ProcessOptions restore_process(const std::filesystem::path& bin_dir,
                               const RestoreArguments& arguments) {
  if (arguments.jobs > 1 && arguments.archive.empty())
    throw Error(ErrorCode::failed, "pg_restore reads standard input with one job only");
  // A role's or database's own defaults would change what is created, or forbid it.
  ClientConnection connection = client_connection(
      arguments.conninfo,
      {{"default_transaction_read_only", "off"}, {"transform_null_equals", "off"}});
  ProcessOptions options;
  options.environment = std::move(connection.environment);
  options.input =
      arguments.archive.empty() ? ProcessOptions::Input::pipe : ProcessOptions::Input::none;
  options.output = ProcessOptions::Output::discard;
  options.argv = {(bin_dir / "pg_restore").string(), "--no-password",
                  "--dbname=" + connection.conninfo};
  if (arguments.jobs > 1) options.argv.push_back(fmt::format("--jobs={}", arguments.jobs));
  for (const std::string& argument : arguments.selection) options.argv.push_back(argument);
  if (!arguments.archive.empty()) options.argv.push_back(arguments.archive.string());
  return options;
}

ProcessOptions script_process(const std::filesystem::path& bin_dir, const std::string& section,
                              const std::filesystem::path& list, std::shared_ptr<Fd> archive) {
  ProcessOptions options;
  options.environment = {{"LC_ALL", "C"}};
  options.input = ProcessOptions::Input::file;
  options.input_file = std::move(archive);
  options.argv = {(bin_dir / "pg_restore").string(), "--file=-", "--section=" + section,
                  "--use-list=" + list.string(), "/dev/stdin"};
  return options;
}

ProcessOptions psql_process(const std::filesystem::path& bin_dir, const std::string& conninfo) {
  ClientConnection connection = client_connection(
      conninfo, {{"default_transaction_read_only", "off"}, {"transform_null_equals", "off"}});
  ProcessOptions options;
  options.environment = std::move(connection.environment);
  options.input = ProcessOptions::Input::pipe;
  options.output = ProcessOptions::Output::discard;
  options.argv = {(bin_dir / "psql").string(),
                  "--no-password",
                  "--no-psqlrc",
                  "--quiet",
                  "--variable=ON_ERROR_STOP=1",
                  "--single-transaction",
                  "--file=-",
                  "--dbname=" + connection.conninfo};
  return options;
}

}  // namespace bkp
