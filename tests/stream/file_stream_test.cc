#include "stream/file_stream.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "stream/memory_stream.h"
#include "stream/process.h"

using namespace bkp;

TEST_CASE("a file source reads the whole file") {
  const TemporaryDirectory directory("/tmp", "bkp-test-");
  const std::string content(200'000, 'x');
  write_file_atomically(directory.path() / "file", content);
  FileSource source(directory.path() / "file");
  CHECK(to_string(read_all(source, 1 << 20)) == content);
}

TEST_CASE("a file source names the file that cannot be read") {
  using Catch::Matchers::Contains;
  CHECK_THROWS_WITH(FileSource("/nonexistent/file"),
                    Contains("'/nonexistent/file'") && Contains("No such file"));
  FileSource directory("/tmp");
  Bytes buffer(1);
  CHECK_THROWS_WITH(directory.read(buffer), Contains("'/tmp'"));
}

TEST_CASE("a spool file has no name, and a child opens it as often as it likes") {
  const TemporaryDirectory directory("/tmp", "bkp-test-");
  SpoolFile spool(directory.path());
  spool.write(as_bytes("spooled "));
  spool.write(as_bytes("bytes\n"));
  spool.finish();
  CHECK(std::filesystem::is_empty(directory.path()));
  ProcessOptions options;
  options.argv = {"cat", "/dev/stdin", "/dev/stdin"};
  options.input = ProcessOptions::Input::file;
  options.input_file = spool.take();
  Process process(std::move(options));
  CHECK(to_string(read_all(process, 100)) == "spooled bytes\nspooled bytes\n");
}

TEST_CASE("a spool file names the directory where it cannot be") {
  CHECK_THROWS_WITH(SpoolFile("/nonexistent"), Catch::Matchers::Contains("'/nonexistent'"));
}
