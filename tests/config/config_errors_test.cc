// Each mistake that a configuration can hold, with the words that its author reads.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "config/config.h"

using namespace bkp;

namespace {

constexpr const char* kTop = "[cluster]\nname = \"shop\"\n";                 // lines 1, 2
constexpr const char* kServer = "[postgres]\nconninfo = \"dbname=shop\"\n";  // 3, 4
constexpr const char* kKey = "[encryption]\nkey_file = \"/k\"\n";            // 5, 6
constexpr const char* kLocal =                                               // 7 to 10
    "[[storage]]\nname = \"local\"\ntype = \"local\"\npath = \"/b\"\n";
constexpr const char* kCloud =  // 11 to 15
    "[[storage]]\nname = \"r2\"\ntype = \"s3\"\nbucket = \"b\"\nendpoint = \"https://h\"\n";
constexpr const char* kSecrets =  // 16, 17
    "access_key_env = \"PATH\"\nsecret_key_env = \"PATH\"\n";

std::string whole(const std::string& more) {
  return std::string(kTop) + kServer + kKey + kLocal + more;
}
std::string cloud(const std::string& more) { return whole(std::string(kCloud) + more); }

struct Mistake {
  const char* what;
  std::string content;
  const char* message;  // @ is the file
  const char* hint;
};

const Mistake kMistakes[] = {
    {"not TOML", "[cluster]\nname = shop\n",
     "@:2:8: not TOML: while reading value: could not determine value type",
     "texts stand in quotes, a section's name in [brackets]: see 'man 5 bkp.toml'"},
    {"a key twice", "[cluster]\nname = \"a\"\nname = \"b\"\n", "@:3:", ""},
    {"unknown key, near one", "[cluster]\nnmae = \"shop\"\n",
     "@:2:1: unknown key 'nmae' in [cluster]", "did you mean 'name'?"},
    {"unknown key, near none", whole("[copies]\nquorum = 2\n"),
     "@:12:1: unknown key 'quorum' in [copies]", "known are minimum"},
    {"unknown key above all", "conninof = 1\nenvfile = \"/x\"\n",
     "@:1:1: unknown key 'conninof' in the configuration", "known are env_file, state_dir"},
    {"a key in the wrong place", "conninfo = \"\"\n",
     "@:1:1: unknown key 'conninfo' in the configuration", "'conninfo' belongs to [postgres]"},
    {"a key of the top in a section", "[cluster]\nenv_file = \"/x\"\n",
     "@:2:1: unknown key 'env_file' in [cluster]", "'env_file' stands above the first section"},
    {"unknown section, near one", whole("[restroe]\njobs = 1\n"),
     "@:11:2: unknown section [restroe]", "did you mean [restore]?"},
    {"unknown section, near none", whole("[tenants]\n"), "@:11:2: unknown section [tenants]",
     "known are catalog, cleanup, cluster, compression, config_snapshot, copies, dump, encryption, "
     "postgres, restore, storage, verify"},
    {"unknown key of a storage", whole("bukcet = \"x\"\n"),
     "@:11:1: unknown key 'bukcet' in [[storage]]", "did you mean 'bucket'?"},
    {"unknown kind of keep", whole("keep = { dmup = \"30d\" }\n"),
     "@:11:10: unknown key 'dmup' in 'keep' of [[storage]]", "did you mean 'dump'?"},
    {"keep that is no table", whole("keep = \"30d\"\n"),
     "@:11:8: 'keep' in [[storage]] must be a table", "write keep = { dump = … }"},
    {"keep of minutes", whole("keep = { dump = \"30m\" }\n"),
     "@:11:17: dump: '30m' is less than an hour",
     "'m' means minutes; write days such as \"30d\", or \"forever\""},
    {"keep_last of WAL", whole("keep_last = { wal = 3 }\n"),
     "@:11:15: unknown key 'wal' in 'keep_last' of [[storage]]", ""},
    {"keep_last below nothing", whole("keep_last = { dump = -1 }\n"),
     "@:11:22: 'dump' must be 0 to 100000", ""},
    {"a section that is a value", "cluster = \"shop\"\n", "@:1:11: 'cluster' must be a section",
     "write [cluster] on a line of its own"},
    {"one storage in single brackets", "[storage]\nname = \"x\"\n",
     "@:1:1: each storage is a section in double brackets",
     "write [[storage]] instead of [storage]"},

    {"a number for a text", "[cluster]\nname = 5\n", "@:2:8: 'name' in [cluster] must be a text",
     "write name = \"…\""},
    {"a text for a flag", whole("[dump]\ndigests = \"yes\"\n"),
     "@:12:11: 'digests' in [dump] must be true or false", "write digests = true"},
    {"a text for a number", whole("[restore]\njobs = \"4\"\n"),
     "@:12:8: 'jobs' in [restore] must be a whole number", "write jobs = 1, without quotes"},
    {"a text for a list", whole("[dump]\nexclude_tables = \"a\"\n"),
     "@:12:18: 'exclude_tables' in [dump] must be a list of texts",
     "write exclude_tables = [\"…\", \"…\"]"},
    {"a number in a list", whole("[dump]\nexclude_tables = [\"a\", 1]\n"),
     "@:12:18: 'exclude_tables' in [dump] must be a list of texts",
     "write exclude_tables = [\"…\", \"…\"]"},
    {"a number out of range", whole("[restore]\njobs = 0\n"),
     "@:12:8: 'jobs' must be from 1 to 1000, not 0", ""},

    {"no cluster", std::string(kServer) + kKey + kLocal, "@: 'name' in [cluster] is missing",
     "add name = \"shop\" under [cluster]"},
    {"no conninfo", std::string(kTop) + kKey + kLocal, "@: 'conninfo' in [postgres] is missing",
     "add conninfo = \"host=/var/run/postgresql dbname=shop user=bkp\" under [postgres]"},
    {"no key file", std::string(kTop) + kServer + "[encryption]\n" + kLocal,
     "@:5:1: 'key_file' in [encryption] is missing",
     "add key_file = \"/etc/bkp/keys.toml\" under [encryption]"},
    {"no storage", std::string(kTop) + kServer + kKey, "@:1:1: there is no storage",
     "add [[storage]] with name = \"local\", type = \"local\" and path = \"/…\""},
    {"a storage with no name", whole("[[storage]]\ntype = \"local\"\n"),
     "@:11:1: a storage has no name", "add name = \"…\" to [[storage]]"},
    {"a storage with no type", whole("[[storage]]\nname = \"x\"\n"),
     "@:11:1: storage 'x' has no type", "add type = \"local\" or type = \"s3\""},
    {"a local storage with no path", whole("[[storage]]\nname = \"x\"\ntype = \"local\"\n"),
     "@:11:1: storage 'x' has no path", "add path = \"/…\""},
    {"no bucket", whole("[[storage]]\nname = \"x\"\ntype = \"s3\"\n"),
     "@:11:1: storage 'x' has no bucket", "add bucket = \"…\""},
    {"no endpoint", whole("[[storage]]\nname = \"x\"\ntype = \"s3\"\nbucket = \"b\"\n"),
     "@:11:1: storage 'x' has no endpoint",
     "add endpoint = \"https://…\", or provider = \"r2\", \"b2\" or \"aws\""},
    {"no region for b2",
     whole("[[storage]]\nname = \"x\"\ntype = \"s3\"\nbucket = \"b\"\nprovider = \"b2\"\n"),
     "@:11:1: storage 'x' has no region",
     "add the region of the bucket's endpoint, such as region = \"us-east-005\""},
    {"no account for r2",
     whole("[[storage]]\nname = \"x\"\ntype = \"s3\"\nbucket = \"b\"\nprovider = \"r2\"\n"),
     "@:11:1: storage 'x' has no account_id",
     "add account_id_env, account_id_file or account_id_command, or endpoint = \"https://…\""},
    {"no access key", cloud("secret_key_env = \"PATH\"\n"),
     "@:11:1: storage 'r2' has no access_key",
     "add access_key_env, access_key_file or access_key_command"},
    {"no secret key", cloud("access_key_env = \"PATH\"\n"),
     "@:11:1: storage 'r2' has no secret_key",
     "add secret_key_env, secret_key_file or secret_key_command"},

    {"a cluster's name", "[cluster]\nname = \"a/b\"\n",
     "@:2:8: name: 'a/b' is not a cluster's name",
     "use A to Z, a to z, 0 to 9, '_' and '-', 63 of them at most"},
    {"a connection string", std::string(kTop) + "[postgres]\nconninfo = \"shop\"\n",
     "@:4:12: conninfo: not a connection string: missing \"=\" after \"shop\" in connection info "
     "string",
     "write host=… dbname=… user=…, or postgresql://user@host/dbname"},
    {"a bad one with a password",
     std::string(kTop) + "[postgres]\nconninfo = \"password='hunter2\"\n",
     "@:4:12: conninfo: not a connection string: libpq cannot read it",
     "write host=… dbname=… user=…, or postgresql://user@host/dbname"},
    {"a relative path", std::string(kTop) + "[postgres]\nconninfo = \"\"\ndata_dir = \"data\"\n",
     "@:5:12: data_dir: 'data' is not a path from the root", "begin it with '/'"},
    {"a catalog", whole("[catalog]\nurl = \"mysql://u:pw@h/d\"\n"),
     "@:12:7: url: not a catalog that bkp knows",
     "write sqlite:/path, such as sqlite:/var/lib/bkp/catalog.db, or "
     "postgresql://user@host/database"},
    {"two catalogs", whole("[catalog]\nurl = \"sqlite:/a/b\"\nurl_env = \"X\"\n"),
     "@:13:11: 'url' and 'url_env' name the same thing", "keep one of them"},
    {"a cipher", std::string(kTop) + kServer + kKey + "cipher = \"des\"\n",
     "@:7:10: cipher: unknown cipher 'des'", "use aes-256-gcm or aes-256-cbc-hmac-sha256"},
    {"a compression", whole("[compression]\ndump = \"lzma\"\n"), "@:12:8: dump: ", ""},
    {"a duration", whole("[dump]\nlock_wait = \"5min\"\n"),
     "@:12:13: lock_wait: '5min' is not a duration",
     "write numbers with s, m, h, d, w or y, such as 30d, 8h or 1h30m"},
    {"a size", whole("capacity = \"500 gigs\"\n"), "@:11:12: capacity: '500 gigs' is not a size",
     "write a number and a unit, such as 500GiB, 16 MiB, 10GB or 4096B"},
    {"a way to verify", whole("[verify]\nafter = \"full\"\n"),
     "@:12:9: after: 'full' is no way to verify",
     "write read (every byte), stat (size only) or none"},
    {"a storage's name", whole("[[storage]]\nname = \"Local 2\"\n"),
     "@:12:8: name: 'Local 2' is not a storage's name",
     "use a to z, 0 to 9, '_' and '-', 63 of them at most"},
    {"a storage's type", whole("[[storage]]\nname = \"x\"\ntype = \"ftp\"\n"),
     "@:13:8: type: 'ftp' is not a type of storage",
     "known are local, s3 (any S3-compatible bucket)"},
    {"a provider", cloud("provider = \"minio\"\n"),
     "@:16:12: provider: 'minio' is not a known provider",
     "known are r2, b2, aws; for any other leave provider out and write endpoint = \"https://…\""},
    {"a key of the other type", whole("bucket = \"b\"\n"),
     "@:11:10: 'bucket' is not for a storage of type local", ""},
    {"a path for a bucket", cloud("path = \"/b\"\n"),
     "@:16:8: 'path' is not for a storage of type s3", ""},
    {"a folder in the bucket",
     whole("[[storage]]\nname = \"x\"\ntype = \"s3\"\nbucket = \"a/b\"\n"),
     "@:14:10: bucket: 'a/b' is not a bucket's name",
     "a folder inside of the bucket is its prefix"},
    {"a prefix that climbs", cloud("prefix = \"a/../b\"\n"),
     "@:16:10: prefix: 'a/../b' is not a prefix", "write it like a/b"},

    {"a plain secret", cloud("secret_key = \"hunter2\"\n"),
     "@:16:1: 'secret_key' must not stand in the configuration",
     "write secret_key_env, secret_key_file or secret_key_command instead"},
    {"a secret twice", cloud("access_key_env = \"A\"\naccess_key_file = \"/a\"\n"),
     "@:17:19: 'access_key_env' and 'access_key_file' name the same secret", "keep one of them"},
    {"a variable that is not set", cloud("access_key_env = \"BKP_NONE\"\n"),
     "@:16:18: environment variable 'BKP_NONE' of 'access_key_env' is not set",
     "set it, or write a line BKP_NONE=… into a file and name that as env_file"},
    {"a secret's file that is not there", cloud("access_key_file = \"/nonexistent\"\n"),
     "@:16:19: cannot read access_key_file '/nonexistent': No such file or directory", ""},
    {"a secret's file that is none", cloud("access_key_file = \"/dev/null\"\n"),
     "@:16:19: access_key_file '/dev/null' is not a regular file", ""},
    {"a secret's file by half a path", cloud("access_key_file = \"key\"\n"),
     "@:16:19: 'access_key_file' must be a path from the root", "write access_key_file = \"/…\""},
    {"a command that fails", cloud("access_key_command = [\"false\"]\n"),
     "@:16:22: access_key_command: false failed with exit status 1",
     "run the command as this user and see that it prints the secret"},
    {"a command that is not there", cloud("access_key_command = [\"/nonexistent\"]\n"),
     "@:16:22: access_key_command: cannot start '/nonexistent': No such file or directory",
     "run the command as this user and see that it prints the secret"},
    {"a command that says nothing", cloud("access_key_command = [\"true\"]\n"),
     "@:16:22: the secret of 'access_key_command' is empty", ""},
    {"a command in one text", cloud("access_key_command = \"vault read x\"\n"),
     "@:16:22: 'access_key_command' in [[storage]] must be a list of texts",
     "write access_key_command = [\"…\", \"…\"]"},
    {"an empty command", cloud("access_key_command = []\n"),
     "@:16:22: 'access_key_command' names no program",
     "write access_key_command = [\"program\", \"argument\"]"},
    {"env_file that is not there", "env_file = \"/nonexistent\"\n" + whole(""),
     "cannot read env_file '/nonexistent': No such file or directory", ""},

    {"two storages of one name",
     whole("[[storage]]\nname = \"local\"\ntype = \"local\"\npath = \"/c\"\n"),
     "@:12:8: two storages have the name 'local'", "give each [[storage]] a name of its own"},
    {"two storages at one place",
     whole("[[storage]]\nname = \"other\"\ntype = \"local\"\npath = \"/c/../b/\"\n"),
     "@:11:1: storages 'local' and 'other' are one place",
     "a copy protects only somewhere else: change path, bucket or prefix of one"},
    {"two storages in one bucket",
     cloud(std::string(kSecrets) + "[[storage]]\nname = \"b2\"\ntype = \"s3\"\nbucket = \"b\"\n" +
           "endpoint = \"https://h/\"\nprefix = \"/\"\n" + kSecrets),
     "@:18:1: storages 'r2' and 'b2' are one place",
     "a copy protects only somewhere else: change path, bucket or prefix of one"},
    {"more copies than storages", whole("[copies]\nminimum = 2\n"),
     "@:12:11: minimum = 2, but there is only 1 storage", "add a [[storage]], or lower minimum"},
    {"read_order of another storage", whole("[restore]\nread_order = [\"local\", \"tape\"]\n"),
     "@:12:14: read_order: there is no storage 'tape'", "there are local"},
    {"read_order that repeats", whole("[restore]\nread_order = [\"local\", \"local\"]\n"),
     "@:12:14: read_order names 'local' twice", ""},
};

Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::failed, "no error"};
}

struct Place {
  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "bkp-config-"};
  std::string file = (directory.path() / "bkp.toml").string();
  std::string write(const char* name, const std::string& content, unsigned mode) const {
    write_file_atomically(directory.path() / name, content, mode);
    return (directory.path() / name).string();
  }
  Error load(const std::string& content, unsigned mode = 0644) const {
    write("bkp.toml", content, mode);
    return error_of([&] { load_config(file); });
  }
};

}  // namespace

TEST_CASE("every mistake in a configuration is told with its place and its cure") {
  const Place place;
  for (const Mistake& mistake : kMistakes) {
    INFO(mistake.what);
    const Error error = place.load(mistake.content);
    std::string message = mistake.message;
    if (const auto at = message.find('@'); at != std::string::npos)
      message.replace(at, 1, place.file);
    CHECK(error.code() == ErrorCode::usage);
    if (*mistake.hint) {
      CHECK(error.message() == message);
      CHECK(error.hint() == mistake.hint);
    } else {
      CHECK_THAT(error.message(), Catch::StartsWith(message));
    }
    CHECK(error.message().find("hunter2") == std::string::npos);
  }
}

TEST_CASE("what these mistakes are made in is right without them") {
  const Place place;
  CHECK(place.load(whole("")).message() == "no error");
  CHECK(place.load(cloud(kSecrets)).message() == "no error");
}

TEST_CASE("an endpoint is scheme, host and port, and nothing else") {
  const Place place;
  for (const char* text :
       {"s3.example.net", "ftp://h", "https://", "https://h/b", "https://h:0", "https://h:65536",
        "https://h:x", "https://u:p@h", "https://h?x=1", "https://h h", "https://h:1:2",
        "https://[::1", "https://[::1]x", "https://[]:1", ""}) {
    INFO(text);
    const Error error = place.load(
        whole("[[storage]]\nname = \"r2\"\ntype = \"s3\"\nbucket = \"b\"\nendpoint = \"" +
              std::string(text) + "\"\n" + kSecrets));
    CHECK(error.message() == place.file + ":15:12: endpoint: '" + text + "' is not an endpoint");
    CHECK(error.hint() ==
          "write https://host or https://host:port; bucket and folder have keys of their own");
  }
}

TEST_CASE("a configuration that is not there is named, with what makes one") {
  const Error error = error_of([] { load_config("/nonexistent/bkp.toml"); });
  CHECK(error.code() == ErrorCode::usage);
  CHECK(error.message() ==
        "cannot read the configuration: cannot open '/nonexistent/bkp.toml': No such file or "
        "directory");
  CHECK(error.hint() == "make one with 'bkp init', or name another with --config or BKP_CONFIG");
  CHECK(error_of([] { load_config("/"); }).code() == ErrorCode::usage);
}

TEST_CASE("secrets that others can read are refused with the chmod that cures it") {
  const Place place;
  for (const unsigned mode : {0640U, 0604U, 0620U, 0601U}) {
    const std::string env = place.write("s.env", "KEY=hunter2\n", mode);
    const Error of_env = place.load("env_file = \"" + env + "\"\n" + whole(""));
    CHECK(of_env.code() == ErrorCode::usage);
    CHECK(of_env.message() == "env_file '" + env + "' can be read by others");
    CHECK(of_env.hint() == "chmod 600 " + env);
    const Error of_file = place.load(cloud("access_key_file = \"" + env + "\"\n"));
    CHECK(of_file.message() ==
          place.file + ":16:19: access_key_file '" + env + "' can be read by others");
    CHECK(of_file.hint() == "chmod 600 " + env);
  }
}

TEST_CASE("a broken env_file is told by its line, without what stands there") {
  const Place place;
  const std::string env = place.write("s.env", "A=1\n\nhunter2\n", 0600);
  const Error error = place.load("env_file = \"" + env + "\"\n" + whole(""));
  CHECK(error.message() == env + ":3: not KEY=VALUE");
  CHECK(error.hint() == "lines of env_file read KEY=VALUE or KEY=\"VALUE\"");
}

TEST_CASE("a password in a conninfo is refused where others can read the file") {
  const Place place;
  const std::string rest = std::string(kKey) + kLocal;
  for (const char* conninfo :
       {"dbname=shop password=hunter2", "postgresql://u:hunter2@h/shop",
        "postgresql://u@h/shop?password=hunter2", "dbname=shop sslpassword=hunter2"}) {
    INFO(conninfo);
    const std::string content =
        kTop + std::string("[postgres]\nconninfo = \"") + conninfo + "\"\n" + rest;
    const Error error = place.load(content);
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.message() ==
          place.file + ":4:12: conninfo holds a password, and others can read this file");
    CHECK(error.hint() == "move the password to ~/.pgpass of the user that runs bkp");
    CHECK(place.load(content, 0600).message() == "no error");
  }
  CHECK(place.load(whole("[restore]\nconninfo = \"password=hunter2\"\n")).message() ==
        place.file + ":12:12: conninfo holds a password, and others can read this file");
}

TEST_CASE("a secret's command has a limited time") {
  const Place place;
  const auto before = std::chrono::steady_clock::now();
  const Error error = place.load(cloud("access_key_command = [\"sleep\", \"60\"]\n"));
  CHECK(error.message() ==
        place.file + ":16:22: access_key_command: sleep did not end within 10 s");
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(20));
}
