#include "stream/file_stream.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "stream/memory_stream.h"

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
