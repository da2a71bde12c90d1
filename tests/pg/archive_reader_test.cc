#include "pg/archive_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "archive_builder.h"
#include "base/error.h"
#include "base/fd.h"
#include "pg/archive_parser.h"
#include "stream/memory_stream.h"

using namespace bkp;

namespace {

Bytes fixture(const std::string& name) {
  return to_bytes(read_file(std::string(BKP_SOURCE_DIR "/tests/data/archives/") + name));
}

// Gives at most `step` bytes a read.
class SlowSource final : public Source {
 public:
  SlowSource(const Bytes& data, std::size_t step) : data_(data), step_(step) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = std::min({out.size(), step_, data_.size() - at_});
    std::copy_n(data_.begin() + static_cast<std::ptrdiff_t>(at_), count, out.begin());
    at_ += count;
    return count;
  }

 private:
  const Bytes& data_;
  std::size_t step_;
  std::size_t at_ = 0;
};

ArchiveContents contents_of(const Bytes& archive, std::size_t step = 1 << 16,
                            Digests digests = Digests::yes) {
  SlowSource source(archive, step);
  ArchiveReader reader(source, digests);
  MemorySink sink;
  copy(reader, sink);
  CHECK((sink.data() == archive));
  CHECK(reader.current_table().empty());
  return reader.contents();
}

std::string summary(const ArchiveContents& contents) {
  std::string out;
  for (const TableData& table : contents.tables)
    out += table.schema + "|" + table.name + "|" + table.copy_columns + "|" +
           std::to_string(table.rows) + "|" + std::to_string(table.bytes) + "|" +
           table.digest.hex() + "\n";
  return out + std::to_string(contents.large_objects.count) + "|" +
         std::to_string(contents.large_objects.bytes) + "|" + contents.large_objects.digest.hex();
}

RowDigest digest_of(const std::vector<std::string>& rows) {
  RowDigest digest;
  for (const std::string& row : rows) digest.add(as_bytes(row));
  return digest;
}

const TableData& table(const ArchiveContents& contents, const std::string& name) {
  for (const TableData& candidate : contents.tables)
    if (candidate.name == name) return candidate;
  FAIL("no table " << name);
  throw std::logic_error("unreachable");
}

Error refusal(const Bytes& archive) {
  try {
    contents_of(archive, archive.size() + 1);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::integrity);
    return error;
  }
  FAIL("accepted");
  throw std::logic_error("unreachable");
}

Bytes small_archive() {
  ArchiveBuilder archive;
  archive.header().integer(2);
  archive.entry(7, true, "TABLE DATA", "COPY public.t (a) FROM stdin;\n");
  archive.entry(9, true, "BLOBS", "");
  archive.block(1, 7).chunk("1\n").chunk("2\n").chunk("\\.\n\n\n").end();
  archive.block(3, 9).integer(16001).chunk("content").end().integer(0);
  return archive.data();
}

}  // namespace

TEST_CASE("rows, bytes and digests of every table are those of the dumped rows") {
  for (const std::string major : {"15", "17", "18"}) {
    INFO("pg_dump " << major);
    const ArchiveContents contents = contents_of(fixture("pg_dump-" + major + ".dump"));
    CHECK(contents.version_major == 1);
    CHECK(contents.version_minor == (major == "15" ? 14 : 16));
    CHECK(contents.database == "tiny");
    CHECK(contents.server_version.substr(0, 3) == "15.");
    CHECK(contents.dump_version.substr(0, 3) == major + ".");
    CHECK(contents.owners == std::set<std::string>{"postgres", "tiny_owner"});
    CHECK(contents.objects.at("TABLE") == 10);
    CHECK(contents.objects.at("VIEW") == 1);
    CHECK(contents.objects.at("TABLE DATA") == 9);

    std::vector<std::string> names;
    for (const TableData& each : contents.tables) names.push_back(each.name);
    CHECK(names == std::vector<std::string>{"It's (a) \"table\".x", "dropped", "empty", "generated",
                                            "hashed", "long_row", "no_columns", "plain"});

    const TableData& plain = table(contents, "plain");
    CHECK(plain.schema == "public");
    CHECK(plain.copy_columns == "(id, name, amount)");
    CHECK(plain.rows == 5);
    CHECK(plain.digest ==
          digest_of({"1\tone\t1.50", "2\t\\N\tNaN", "3\ttab\\tnewline\\nback\\\\slash\\\\.\t-1",
                     "4\t\\\\.\t\\N", "5\t\t0"}));
    CHECK(plain.bytes == 11 + 9 + 34 + 8 + 6);
    const TableData& odd = table(contents, "It's (a) \"table\".x");
    CHECK(odd.schema == "Odd \"Schema\"");
    CHECK(odd.copy_columns == "(\"A \"\"b\"\" (c)\", \"größe\")");
    CHECK(odd.digest == digest_of({"ä\t1", "b\t2"}));
    CHECK(table(contents, "empty").rows == 0);
    CHECK(table(contents, "empty").bytes == 0);
    CHECK(table(contents, "empty").digest == RowDigest());
    CHECK(table(contents, "no_columns").rows == 3);
    CHECK(table(contents, "no_columns").bytes == 3);
    CHECK(table(contents, "no_columns").copy_columns.empty());
    CHECK(table(contents, "generated").copy_columns == "(a)");
    CHECK(table(contents, "generated").digest == digest_of({"1", "2"}));
    CHECK(table(contents, "dropped").digest == digest_of({"1\t2"}));
    CHECK(table(contents, "long_row").bytes == 12001);
    // pg_dump loads partitions by the hash of an enum through their root.
    CHECK(table(contents, "hashed").rows == 9);
    CHECK(contents.large_objects.count == 2);
    CHECK(contents.large_objects.bytes == 14);
    CHECK(contents.large_objects.digest ==
          digest_of({"4000000001:" + to_hex(sha256(as_bytes("a large object"))),
                     "16001:" + to_hex(sha256({}))}));
  }
}

TEST_CASE("the pieces in which an archive arrives do not matter") {
  for (const std::string name : {"pg_dump-15.dump", "pg_dump-17.dump"}) {
    const Bytes archive = fixture(name);
    const std::string whole = summary(contents_of(archive));
    for (const std::size_t step : {1, 2, 3, 5, 7, 64, 1000, 4096})
      CHECK(summary(contents_of(archive, step)) == whole);
  }
}

TEST_CASE("without digests rows and bytes are counted all the same") {
  const Bytes archive = fixture("pg_dump-15.dump");
  const ArchiveContents with = contents_of(archive);
  const ArchiveContents without = contents_of(archive, 777, Digests::no);
  REQUIRE(with.tables.size() == without.tables.size());
  for (std::size_t i = 0; i < with.tables.size(); ++i) {
    CHECK(with.tables[i].rows == without.tables[i].rows);
    CHECK(with.tables[i].bytes == without.tables[i].bytes);
    CHECK(without.tables[i].digest == RowDigest());
  }
  CHECK(with.large_objects.bytes == without.large_objects.bytes);
  CHECK(without.large_objects.digest == RowDigest());
}

TEST_CASE("an archive cut anywhere is refused") {
  for (const std::string name : {"pg_dump-15.dump", "pg_dump-18.dump"}) {
    const Bytes archive = fixture(name);
    std::size_t accepted = 0;
    for (std::size_t length = 0; length < archive.size(); length += 1 + length / 3000) {
      ArchiveParser parser(Digests::no);
      try {
        parser.feed(ByteView(archive).first(length));
        parser.finish();
        ++accepted;
      } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::integrity);
      }
    }
    CHECK(accepted == 0);
  }
  // Between two blocks nothing but the missing data tells.
  const Bytes small = small_archive();
  CHECK_NOTHROW(contents_of(small));
  const auto block =
      std::search(small.begin(), small.end(), std::begin("\3\0\11"), std::end("\3\0\11") - 1,
                  [](std::byte a, char b) { return a == std::byte(b); });
  REQUIRE(block != small.end());
  CHECK_THAT(refusal(Bytes(small.begin(), block)).message(), Catch::Contains("cut off"));
}

TEST_CASE("what is not an archive as bkp makes them is refused with the reason") {
  const auto with_table = [](ArchiveBuilder archive, std::string_view copy) {
    archive.header().integer(1).entry(7, true, "TABLE DATA", copy).block(1, 7);
    return archive;
  };
  const std::string_view good = "COPY public.t (a) FROM stdin;\n";
  struct Case {
    const char* name;
    Bytes archive;
    const char* reason;
  };
  const Case cases[] = {
      {"empty", {}, "cut off: it ends after 0 bytes"},
      {"plain SQL", to_bytes("--\n-- PostgreSQL database dump\n"),
       "no archive of pg_dump's custom"},
      {"tar", Bytes(1024), "no archive of pg_dump's custom"},
      {"older version", ArchiveBuilder(13).header().data(), "archive version 1.13"},
      {"newer version", ArchiveBuilder(17).header().data(), "archive version 1.17"},
      {"compressed, 1.14", ArchiveBuilder(14).header(-1).data(), "compressed by pg_dump itself"},
      {"compressed, 1.16", ArchiveBuilder(16).header(3).data(), "compressed by pg_dump itself"},
      {"8-byte integers", ArchiveBuilder().raw(std::string_view("PGDMP\1\16\0\10\10\1", 11)).data(),
       "integers of another size"},
      {"4-byte offsets", ArchiveBuilder().raw(std::string_view("PGDMP\1\16\0\4\4\1", 11)).data(),
       "offsets of another size"},
      {"tar format", ArchiveBuilder().raw(std::string_view("PGDMP\1\16\0\4\10\3", 11)).data(),
       "another format"},
      {"no entries, then something", ArchiveBuilder().header().integer(0).byte(2).data(),
       "an unknown block"},
      {"negative number of entries", ArchiveBuilder().header().integer(-3).data(),
       "a negative number of entries"},
      {"sign", ArchiveBuilder().header().byte(2).raw("\1\1\1\1").data(), "an integer's sign"},
      {"range", ArchiveBuilder().header().byte(0).raw("\xff\xff\xff\xff").data(), "out of range"},
      {"entry number", ArchiveBuilder().header().integer(1).integer(0).data(), "not positive"},
      {"entry twice",
       ArchiveBuilder()
           .header()
           .integer(2)
           .entry(7, true, "TABLE DATA", good)
           .entry(7, true, "TABLE DATA", good)
           .data(),
       "two entries of one number"},
      {"INSERT commands", with_table(ArchiveBuilder(), "").data(), "not COPY text"},
      {"data of a view", ArchiveBuilder().header().integer(1).entry(7, true, "VIEW", good).data(),
       "not COPY text"},
      {"huge text",
       ArchiveBuilder()
           .header()
           .integer(1)
           .integer(1)
           .integer(1)
           .text("0")
           .text("0")
           .text("")
           .integer(1 << 30)
           .data(),
       "a text is too long"},
      {"block of no entry",
       with_table(ArchiveBuilder(), good).chunk("\\.\n").end().block(1, 8).data(),
       "data of no entry"},
      {"block twice", with_table(ArchiveBuilder(), good).chunk("\\.\n").end().block(1, 7).data(),
       "data of one entry twice"},
      {"block of another kind",
       ArchiveBuilder().header().integer(1).entry(7, true, "BLOBS", "").block(1, 7).data(),
       "data of another kind"},
      {"negative chunk", with_table(ArchiveBuilder(), good).integer(-5).data(), "negative length"},
      {"no last line", with_table(ArchiveBuilder(), good).chunk("1\n2\n").end().data(),
       "table 'public.t': the data end without their last line"},
      {"half a row", with_table(ArchiveBuilder(), good).chunk("1\n2").end().data(),
       "without their last line"},
      {"rows after the last line", with_table(ArchiveBuilder(), good).chunk("1\n\\.\n\n3\n").data(),
       "something follows the last line"},
      {"rows after the last line, in a chunk of their own",
       with_table(ArchiveBuilder(), good).chunk("\\.\n").chunk("\n").chunk("3\n").data(),
       "something follows the last line"},
  };
  for (const Case& each : cases) {
    INFO(each.name);
    CHECK_THAT(refusal(each.archive).message(), Catch::Contains(each.reason));
  }
}

TEST_CASE("a row may be longer than any buffer, and cut anywhere into chunks and reads") {
  const std::string row(3 << 20, 'x');
  for (const std::size_t cut : {std::size_t{1}, std::size_t{2}, row.size() - 1, row.size()}) {
    ArchiveBuilder archive;
    archive.header().integer(1).entry(7, true, "TABLE DATA", "COPY public.t (a) FROM stdin;\n");
    archive.block(1, 7).chunk("a\n").chunk(row.substr(0, cut)).chunk(row.substr(cut) + "\nb");
    archive.chunk("\n\\").chunk(".").chunk("\n\n").chunk("\n").end();
    for (const std::size_t step : {4096, 100000, 1 << 24}) {
      const ArchiveContents contents = contents_of(archive.data(), step);
      REQUIRE(contents.tables.size() == 1);
      CHECK(contents.tables[0].rows == 3);
      CHECK(contents.tables[0].bytes == row.size() + 5);
      CHECK(contents.tables[0].digest == digest_of({"b", row, "a"}));
    }
  }
}

TEST_CASE("rows that only look like the end of the data are rows") {
  ArchiveBuilder archive;
  archive.header().integer(1).entry(7, true, "TABLE DATA", "COPY public.t (a) FROM stdin;\n");
  archive.block(1, 7).chunk("\\\\.\n.\n\\\n\n\\.x\n\\.\n\n\n").end();
  for (const std::size_t step : {1, 2, 3, 1000}) {
    const ArchiveContents contents = contents_of(archive.data(), step);
    CHECK(contents.tables[0].rows == 5);
    CHECK(contents.tables[0].digest == digest_of({"\\\\.", ".", "\\", "", "\\.x"}));
  }
}

TEST_CASE("the table whose rows flow by is known") {
  const Bytes archive = small_archive();
  SlowSource source(archive, 1);
  ArchiveReader reader(source, Digests::yes);
  std::vector<std::string> seen;
  std::byte one[1];
  while (reader.read(one))
    if (seen.empty() || seen.back() != reader.current_table())
      seen.push_back(reader.current_table());
  CHECK(seen == std::vector<std::string>{"", "public.t", ""});
}

TEST_CASE("a COPY statement is taken apart, or known not to be one") {
  const auto parsed = parse_copy_statement("COPY \"a\"\".b\".\"c (d)\" (e, \"f)\") FROM stdin;\n");
  REQUIRE(parsed);
  CHECK(parsed->schema == "a\".b");
  CHECK(parsed->name == "c (d)");
  CHECK(parsed->copy_columns == "(e, \"f)\")");
  REQUIRE(parse_copy_statement("COPY a.b  FROM stdin;\n"));
  CHECK(parse_copy_statement("COPY a.b  FROM stdin;\n")->copy_columns.empty());
  for (const char* other :
       {"", "COPY ", "COPY  FROM stdin;\n", "COPY a (b) FROM stdin;\n", "COPY a.b (c) FROM stdin;",
        "COPY a.b (c) TO stdout;\n", "COPY a.b c FROM stdin;\n", "COPY \"a.b (c) FROM stdin;\n",
        "COPY a.b.c (d) FROM stdin;\n", "COPY a. (d) FROM stdin;\n",
        "INSERT INTO a.b FROM stdin;\n"}) {
    INFO(other);
    CHECK_FALSE(parse_copy_statement(other));
  }
}
