#include "storage/local.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/fd.h"
#include "support/sample_bytes.h"

using namespace bkp;
using namespace bkp::test;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  TemporaryDirectory directory{fs::temp_directory_path(), "bkp-local-"};
  fs::path root = directory.path() / "root";
  LocalStorage storage{"local", root};

  Fixture() { fs::create_directory(root); }

  std::vector<std::string> files() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(root))
      found.push_back(entry.path().lexically_relative(root).string());
    std::sort(found.begin(), found.end());
    return found;
  }
  void touch(const std::string& name) const {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << "x";
  }
};

using Files = std::vector<std::string>;

}  // namespace

TEST_CASE("a root that is not there is an unreachable storage, not an empty one") {
  Fixture fixture;
  fs::remove(fixture.root);
  CHECK_THROWS_AS(fixture.storage.list(""), StorageUnreachable);
  CHECK_THROWS_AS(fixture.storage.open("a"), StorageUnreachable);
  CHECK_THROWS_AS(fixture.storage.info(), StorageUnreachable);
  CHECK_THROWS_AS(fixture.storage.remove(Files{"a"}), StorageUnreachable);
  CHECK_THROWS_AS(write_object(fixture.storage, "a", as_bytes("x")), StorageUnreachable);
  CHECK_FALSE(fs::exists(fixture.root));
  try {
    fixture.storage.list("");
  } catch (const Error& error) {
    CHECK(error.message() ==
          "storage 'local': there is no directory '" + fixture.root.string() + "'");
    CHECK_THAT(error.hint(), Catch::StartsWith("is the disk mounted?"));
  }
}

TEST_CASE("a file being written has no name, so that a kill leaves nothing") {
  Fixture fixture;
  const auto sink = fixture.storage.create("a/b", {});
  CHECK(fixture.files().empty());
  sink->write(as_bytes("x"));
  CHECK(fixture.files() == Files{"a"});
  sink->finish();
  CHECK(fixture.files() == Files{"a", "a/b"});
}

TEST_CASE("a local sink's bytes can be read back while it writes, after it failed, after finish") {
  Fixture fixture;
  const Bytes content = sample_bytes(300'000);
  std::stop_source stop;
  CreateOptions options;
  options.stop = stop.get_token();
  const auto sink = fixture.storage.create("o", options);
  const auto* back = dynamic_cast<const Rereadable*>(sink.get());
  REQUIRE(back != nullptr);
  const auto matches = [&](std::size_t offset, std::size_t length) {
    Bytes out(length);
    back->read_back(offset, out);
    return std::equal(out.begin(), out.end(), content.begin() + static_cast<long>(offset));
  };
  sink->write(ByteView(content).first(100'000));
  CHECK(matches(1000, 99'000));
  sink->write(ByteView(content).subspan(100'000));
  CHECK(matches(0, content.size()));
  Bytes beyond(1);
  CHECK_THROWS_AS(back->read_back(content.size(), beyond), Error);
  SECTION("after finish") {
    sink->finish();
    CHECK(matches(99'999, 2));
  }
  SECTION("after it failed") {
    stop.request_stop();
    CHECK_THROWS_AS(sink->write(content), Error);
    CHECK(matches(99'999, 2));
  }
}

TEST_CASE("remove takes the temporary files of its names and the directories left empty") {
  Fixture fixture;
  for (const char* name :
       {"a/b/o", "a/b/o.01234567.tmp", "a/b/o.89abcdef.tmp", "a/c/other", "a/c/o.01234567.tmp"})
    fixture.touch(name);
  CHECK(fixture.storage.list("").size() == 2);
  fixture.storage.remove(Files{"a/b/o"});
  CHECK(fixture.files() == Files{"a", "a/c", "a/c/o.01234567.tmp", "a/c/other"});
  fixture.storage.remove(Files{"a/c/other"});
  CHECK(fixture.files() == Files{"a", "a/c", "a/c/o.01234567.tmp"});
  fixture.storage.remove(Files{"a/c/o"});
  CHECK(fixture.files().empty());
  CHECK(fs::exists(fixture.root));
}

TEST_CASE("a directory that is pruned under a writer comes back") {
  Fixture fixture;
  const IfExists if_exists = GENERATE(IfExists::fail, IfExists::replace);
  CreateOptions options;
  options.if_exists = if_exists;
  write_object(fixture.storage, "a/b/other", as_bytes("x"));
  const auto sink = fixture.storage.create("a/b/o", options);
  sink->write(as_bytes("content"));
  fixture.storage.remove(Files{"a/b/other"});
  sink->finish();
  CHECK(read_object(fixture.storage, "a/b/o") == to_bytes("content"));
  CHECK(fixture.files() == Files{"a", "a/b", "a/b/o"});
}

TEST_CASE("where a file needs a name while it is written, it is a temporary one beside its place") {
  Fixture fixture;
  LocalStorage storage("local", fixture.root, UnfinishedFile::named);
  const auto sink = storage.create("a/o", {});
  sink->write(as_bytes("x"));
  REQUIRE(fixture.files().size() == 2);
  const std::string name = fixture.files()[1];
  CHECK(name.size() == std::string("a/o.01234567.tmp").size());
  CHECK_THAT(name, Catch::StartsWith("a/o.") && Catch::EndsWith(".tmp"));
  sink->finish();
  CHECK(fixture.files() == Files{"a", "a/o"});
}

TEST_CASE("remove spares files whose names only look alike") {
  Fixture fixture;
  const Files spared{"a/o.0123456.tmp", "a/o.01234567.tmpx", "a/o.0123456G.tmp",
                     "a/o2.01234567.tmp", "a/ox"};
  for (const std::string& name : spared) fixture.touch(name);
  fixture.storage.remove(Files{"a/o"});
  Files left = fixture.files();
  left.erase(left.begin());
  CHECK(left == spared);
}

TEST_CASE("entries that are not regular files are no objects") {
  Fixture fixture;
  fixture.touch("a/real");
  fixture.touch("lost+found/x");
  fs::create_symlink("real", fixture.root / "a/link");
  fs::create_directory_symlink("a", fixture.root / "b");
  ::mkfifo((fixture.root / "a/fifo").c_str(), 0600);
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (fixture.root / "a/socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const auto objects = fixture.storage.list("");
  REQUIRE(objects.size() == 1);
  CHECK(objects[0].name == "a/real");
  for (const char* name : {"a/link", "a/fifo", "a/socket", "a"}) {
    INFO(name);
    CHECK(fixture.storage.open(name) == nullptr);
  }
  CHECK_THROWS_AS(write_object(fixture.storage, "a/link", as_bytes("x")), Error);
}

TEST_CASE("a file cut while it is read is an error, not its end") {
  Fixture fixture;
  write_object(fixture.storage, "o", sample_bytes(100'000));
  const auto source = fixture.storage.open("o");
  Bytes buffer(50'000);
  CHECK(source->read(buffer) == buffer.size());
  fs::resize_file(fixture.root / "o", 60'000);
  CHECK(source->read(buffer) == 10'000);
  CHECK_THROWS_WITH(source->read(buffer), Catch::Contains("too soon"));
}

TEST_CASE("info tells the file system's size and no more") {
  Fixture fixture;
  const StorageInfo info = fixture.storage.info();
  CHECK(info.name == "local");
  CHECK(info.location == fixture.root.string());
  CHECK(info.capacity.value() > 0);
  CHECK(info.available.value() <= info.capacity.value());
  CHECK_FALSE(info.clock);
}

TEST_CASE("a full disk says so, says what to do, and leaves nothing") {
  if (::geteuid() != 0) return;  // /dev/full stands in elsewhere: mounting needs root
  Fixture fixture;
  const std::string mount = "mount -t tmpfs -o size=1m tmpfs " + fixture.root.string();
  if (std::system(mount.c_str()) != 0) return;
  struct Unmount {
    fs::path at;
    ~Unmount() { static_cast<void>(std::system(("umount " + at.string()).c_str())); }
  } unmount{fixture.root};
  try {
    write_object(fixture.storage, "a/o", sample_bytes(2'000'000));
    FAIL("no error");
  } catch (const Error& error) {
    CHECK_THAT(error.message(), Catch::StartsWith("storage 'local': cannot write '") &&
                                    Catch::EndsWith("No space left on device"));
    CHECK_THAT(error.hint(), Catch::StartsWith("free space on the file system of '"));
  }
  CHECK(fixture.files().empty());
}

TEST_CASE("what is written, and the directories it needs, are closed to others") {
  const mode_t before = ::umask(0);
  for (const UnfinishedFile kind : {UnfinishedFile::unnamed, UnfinishedFile::named}) {
    Fixture fixture;
    LocalStorage storage("local", fixture.root, kind);
    write_object(storage, "shop/full/a", as_bytes("x"));
    for (const auto& entry : fs::recursive_directory_iterator(fixture.root))
      CHECK((entry.status().permissions() & fs::perms::others_all) == fs::perms::none);
  }
  ::umask(before);
}

TEST_CASE("leftovers are what was being written, and what others left among the objects") {
  Fixture fixture;
  fixture.touch("shop/full/a.dump");
  fixture.touch("shop/full/a.dump.0123abcd.tmp");
  fixture.touch("shop/full/copy.temp");
  fixture.touch("shop/test_restore_1");
  fixture.touch("other/b.0123abcd.tmp");
  std::vector<Leftover> found = fixture.storage.leftovers("shop/");
  REQUIRE(found.size() == 3);
  for (const Leftover& leftover : found) {
    CHECK(leftover.size == 1);
    CHECK(leftover.since > SystemClock().now() - std::chrono::hours(1));
    CHECK_FALSE(fixture.storage.discard(leftover));
    CHECK_FALSE(fixture.storage.discard(leftover));  // gone is good
  }
  CHECK(fixture.files() ==
        Files{"other", "other/b.0123abcd.tmp", "shop", "shop/full", "shop/full/a.dump"});
  CHECK(fixture.storage.leftovers("none/").empty());
  fs::remove_all(fixture.root);
  CHECK_THROWS_AS(fixture.storage.leftovers("shop/"), StorageUnreachable);
}
