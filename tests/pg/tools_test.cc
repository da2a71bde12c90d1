#include "pg/tools.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "base/fd.h"
#include "pg/conninfo.h"

using namespace bkp;

namespace {

std::string argument(const ProcessOptions& process, const std::string& name) {
  const std::string start = "--" + name + "=";
  for (const std::string& each : process.argv)
    if (each.starts_with(start)) return each.substr(start.size());
  return {};
}

bool has(const ProcessOptions& process, const std::string& text) {
  return std::count(process.argv.begin(), process.argv.end(), text) == 1;
}

std::string environment(const ProcessOptions& process, const std::string& name) {
  for (const auto& [key, value] : process.environment)
    if (key == name) return value;
  return {};
}

void write_tool(const std::filesystem::path& directory, const std::string& name,
                const std::string& version) {
  std::filesystem::create_directories(directory);
  std::ofstream(directory / name) << "#!/bin/sh\necho '" << name << " (PostgreSQL) " << version
                                  << "'\n";
  std::filesystem::permissions(directory / name, std::filesystem::perms::owner_all);
}

}  // namespace

TEST_CASE("pg_dump gets what it is asked for, and the password where nobody sees it") {
  DumpArguments arguments;
  arguments.conninfo = "host=/run dbname=shop user=bkp password='hid den'";
  arguments.snapshot = "00000003-1";
  arguments.encoding = "UTF8";
  arguments.exclude_schemas = {"audit*"};
  arguments.exclude_tables = {"public.cache", "-x"};
  arguments.exclude_table_data = {"log.*"};
  const ProcessOptions process = dump_process("/opt/pg/bin", arguments);
  CHECK(process.argv[0] == "/opt/pg/bin/pg_dump");
  CHECK(argument(process, "format") == "custom");
  CHECK(argument(process, "compress") == "0");
  CHECK(has(process, "--no-password"));
  CHECK(argument(process, "snapshot") == "00000003-1");
  CHECK(argument(process, "encoding") == "UTF8");
  CHECK(argument(process, "lock-wait-timeout") == "60000");
  CHECK(argument(process, "exclude-schema") == "audit*");
  CHECK(has(process, "--exclude-table=public.cache"));
  CHECK(has(process, "--exclude-table=-x"));
  CHECK(argument(process, "exclude-table-data") == "log.*");
  CHECK(environment(process, "PGPASSWORD") == "hid den");
  CHECK(environment(process, "LC_ALL") == "C");
  CHECK(environment(process, "PGTZ") == "UTC");
  for (const std::string& each : process.argv) CHECK(each.find("hid") == std::string::npos);
  const Conninfo conninfo(argument(process, "dbname"));
  CHECK(conninfo.get("dbname") == "shop");
  CHECK(conninfo.get("user") == "bkp");
  CHECK_FALSE(conninfo.get("password"));
}

TEST_CASE("settings of the user's conninfo stay, those that change texts are overruled") {
  DumpArguments arguments;
  arguments.conninfo = "dbname=shop options='-c work_mem=1MB -c timezone=Asia/Tokyo'";
  const std::string options =
      *Conninfo(argument(dump_process("/x", arguments), "dbname")).get("options");
  CHECK(options.starts_with("-c work_mem=1MB -c timezone=Asia/Tokyo -c timezone=UTC"));
  for (const SessionSetting& each : fixed_text_settings())
    CHECK_THAT(options, Catch::Contains(std::string(each.name) + "=" + each.value));
}

TEST_CASE("a secret that can only go by argv is refused") {
  DumpArguments arguments;
  arguments.conninfo = "dbname=shop sslpassword=hidden";
  CHECK_THROWS_AS(dump_process("/x", arguments), Error);
}

TEST_CASE("pg_restore reads standard input with one job, a file with several") {
  RestoreArguments arguments;
  arguments.conninfo = "dbname=shop password=hidden";
  const ProcessOptions stream = restore_process("/opt/pg/bin", arguments);
  CHECK(stream.argv[0] == "/opt/pg/bin/pg_restore");
  CHECK(stream.input == ProcessOptions::Input::pipe);
  CHECK(environment(stream, "PGPASSWORD") == "hidden");
  CHECK(Conninfo(argument(stream, "dbname")).get("dbname") == "shop");
  arguments.jobs = 4;
  CHECK_THROWS_AS(restore_process("/x", arguments), Error);
  arguments.archive = "/spool/x.dump";
  const ProcessOptions file = restore_process("/x", arguments);
  CHECK(file.input == ProcessOptions::Input::none);
  CHECK(argument(file, "jobs") == "4");
  CHECK(file.argv.back() == "/spool/x.dump");
}

TEST_CASE("tools of the server's major version or later are found, older ones are refused") {
  const TemporaryDirectory directory("/tmp", "bkp-tools");
  const auto bin = directory.path() / "bin";
  CHECK_THROWS_AS(find_tools(15, bin), Error);
  write_tool(bin, "pg_dump", "15.20 (Debian 15.20-0+deb12u1)");
  CHECK_THROWS_AS(find_tools(15, bin), Error);  // pg_restore is missing
  write_tool(bin, "pg_restore", "15.20 (Debian 15.20-0+deb12u1)");
  CHECK(find_tools(15, bin) == bin);
  CHECK(find_tools(14, bin) == bin);
  try {
    find_tools(17, bin);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    CHECK_THAT(error.message(), Catch::Contains("is version 15, the server is 17"));
    CHECK_THAT(error.hint(), Catch::Contains("postgresql-client-17"));
  }
  CHECK(tool_version(bin / "pg_dump").text == "15.20");
  write_tool(bin, "pg_dump", "18beta1");
  CHECK(tool_version(bin / "pg_dump").major == 18);
  CHECK_THROWS_AS(tool_version("/bin/true"), Error);
  try {
    find_tools(99, "");
    CHECK(false);
  } catch (const Error& error) {
    CHECK_THAT(error.message(),
               Catch::StartsWith("no pg_dump of PostgreSQL 99 or later: the newest here is "));
    CHECK_THAT(error.hint(), Catch::Contains("postgresql-client-99"));
  }
}
