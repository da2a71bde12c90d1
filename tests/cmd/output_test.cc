#include "output.h"

#include <catch2/catch.hpp>

#include "console_log.h"

using namespace bkp;

TEST_CASE("width counts what a terminal shows") {
  CHECK(display_width("shop") == 4);
  CHECK(display_width("café") == 4);
  CHECK(display_width("cafe\xcc\x81") == 4);  // with a combining accent
  CHECK(display_width("東京") == 4);
  CHECK(display_width("\xff\xfe") == 2);
}

TEST_CASE("what could steer a terminal is shown as a question mark") {
  CHECK(printable("a\x1b[31mb\nc") == "a?[31mb c");
  CHECK(printable("caf\xc3") == "caf?");
  CHECK(printable("\xc0\xaf") == "??");       // overlong
  CHECK(printable("\xed\xa0\x80") == "???");  // a surrogate
  CHECK(printable("\xe2\x80\xae"
                  "evil") == "?evil");  // right-to-left override
  CHECK(printable("東京 é") == "東京 é");
}

TEST_CASE("text is cut at a width, never inside a character") {
  CHECK(shorten("shop", 4) == "shop");
  CHECK(shorten("shopping", 4) == "sho…");
  CHECK(shorten("東京都", 4) == "東…");
  CHECK(shorten("shop", 0).empty());
}

TEST_CASE("columns are aligned by what is shown, without trailing blanks") {
  Table table({{"NAME"}, {"SIZE", Align::right}, {"NOTE"}});
  table.add({{"東京"}, {"1 B"}, {""}});
  table.add({{"shop"}, {"12.5 GiB"}, {"before"}});
  CHECK(table.render(false, 0) ==
        "NAME      SIZE  NOTE\n"
        "東京       1 B\n"
        "shop  12.5 GiB  before\n");
}

TEST_CASE("the last column is cut to the terminal's width") {
  Table table({{"ID"}, {"NOTE"}});
  table.add({{"1a2b3c4d"}, {"a note that is longer than the terminal is wide"}});
  CHECK(table.render(false, 30) == "ID        NOTE\n1a2b3c4d  a note that is long…\n");
}

TEST_CASE("colours surround the text and change no alignment") {
  Table table({{"S"}, {"N"}});
  table.add({{"FAILED", Colour::bad}, {"x"}});
  CHECK(table.render(true, 0).find("\x1b[31mFAILED\x1b[0m  x\n") != std::string::npos);
}

TEST_CASE("the bar shows part, amounts, rate and the time that is left") {
  using std::chrono::seconds;
  CHECK(progress_text("dump shop", 512 << 20, 1024 << 20, seconds(4), 200) ==
        "dump shop  [##########----------]  50%  512.0 MiB of 1.0 GiB  128.0 MiB/s  ETA 4 s");
  CHECK(progress_text("dump shop", 512 << 20, {}, seconds(4), 200) ==
        "dump shop  512.0 MiB  128.0 MiB/s  4 s");
  CHECK(progress_text("x", 10, 5, seconds(1), 200).find("100%") != std::string::npos);
  CHECK(display_width(progress_text("dump shop", 1, 2, seconds(4), 30)) == 30);
}

namespace {

std::string logged(ConsoleLog::Options options, const std::function<void(ConsoleLog&)>& use) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = ::open_memstream(&text, &size);
  {
    ConsoleLog log(options, stream);
    use(log);
  }
  std::fclose(stream);
  std::string out(text, size);
  std::free(text);
  return out;
}

}  // namespace

TEST_CASE("lines below the level are dropped, others say their level") {
  const auto all = [](ConsoleLog& log) {
    log.debug("d");
    log.info("i");
    log.warning("w");
    log.error("e");
    log.progress("dump", 1, 2);
  };
  CHECK(logged({}, all) == "i\nbkp: warning: w\nbkp: error: e\n");
  CHECK(logged({LogLevel::warning, false, false}, all) == "bkp: warning: w\nbkp: error: e\n");
  CHECK(logged({LogLevel::debug, false, false}, all) ==
        "bkp: debug: d\ni\nbkp: warning: w\nbkp: error: e\n");
}

TEST_CASE("a line wipes the bar, and the end does") {
  const std::string out = logged({LogLevel::info, false, true}, [](ConsoleLog& log) {
    log.progress("dump", 1, 2);
    log.info("done");
    log.progress("dump", 2, 2);
  });
  CHECK(out.starts_with("\r\x1b[Kdump"));
  CHECK(out.find("\r\x1b[Kdone\n") != std::string::npos);
}
