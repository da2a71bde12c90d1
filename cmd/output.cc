#include "output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"

namespace bkp {
namespace {

struct Glyph {
  char32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

Glyph next_glyph(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t code = first & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  const char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {code, length, true};
}

struct CodeRange {
  char32_t first, last;
};
bool in(std::initializer_list<CodeRange> ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](const CodeRange& range) {
    return code >= range.first && code <= range.last;
  });
}

// Unicode's combining marks and East Asian Wide ranges, as far as names of things use them.
std::size_t glyph_width(char32_t code) {
  if (in({{0x300, 0x36F},
          {0x483, 0x489},
          {0x591, 0x5BD},
          {0x610, 0x61A},
          {0x64B, 0x65F},
          {0x1AB0, 0x1AFF},
          {0x1DC0, 0x1DFF},
          {0x200B, 0x200F},
          {0x20D0, 0x20FF},
          {0xFE00, 0xFE0F},
          {0xFE20, 0xFE2F},
          {0xFEFF, 0xFEFF}},
         code))
    return 0;
  if (in({{0x1100, 0x115F},
          {0x2E80, 0x303E},
          {0x3041, 0x33FF},
          {0x3400, 0x4DBF},
          {0x4E00, 0x9FFF},
          {0xA000, 0xA4CF},
          {0xAC00, 0xD7A3},
          {0xF900, 0xFAFF},
          {0xFE30, 0xFE4F},
          {0xFF00, 0xFF60},
          {0xFFE0, 0xFFE6},
          {0x1F300, 0x1F64F},
          {0x1F900, 0x1F9FF},
          {0x20000, 0x3FFFD}},
         code))
    return 2;
  return 1;
}

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x200E && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

template <typename Use>
void each_glyph(std::string_view text, Use use) {
  while (!text.empty()) {
    const Glyph glyph = next_glyph(text);
    use(glyph, text.substr(0, glyph.bytes));
    text.remove_prefix(glyph.bytes);
  }
}

std::string pad(const std::string& text, std::size_t width, Align align) {
  const std::string blanks(width - std::min(width, display_width(text)), ' ');
  return align == Align::left ? text + blanks : blanks + text;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  each_glyph(text, [&](const Glyph& glyph, std::string_view) {
    width += glyph.valid ? glyph_width(glyph.code) : 1;
  });
  return width;
}

std::string printable(std::string_view text) {
  std::string out;
  each_glyph(text, [&](const Glyph& glyph, std::string_view bytes) {
    if (glyph.valid && !is_control(glyph.code))
      out += bytes;
    else
      out += glyph.code == '\t' || glyph.code == '\n' ? ' ' : '?';
  });
  return out;
}

std::string shorten(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::string out;
  std::size_t used = 0;
  bool full = width == 0;
  each_glyph(text, [&](const Glyph& glyph, std::string_view bytes) {
    const std::size_t more = glyph.valid ? glyph_width(glyph.code) : 1;
    full |= used + more + 1 > width;
    if (full) return;
    out += bytes;
    used += more;
  });
  return width == 0 ? "" : out + "…";
}

std::string paint(std::string_view text, Colour colour, bool colours) {
  if (!colours || colour == Colour::plain || text.empty()) return std::string(text);
  const char* code = colour == Colour::good    ? "32"
                     : colour == Colour::warn  ? "33"
                     : colour == Colour::bad   ? "31"
                     : colour == Colour::faint ? "2"
                                               : "1";
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string Table::render(bool colours, std::size_t width) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(printable(row[i].text)));

  std::string out;
  const auto add_line = [&](const std::vector<Cell>& row) {
    std::string line;
    std::size_t at = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      std::string text = printable(row[i].text);
      if (last && width > at + 8) text = shorten(text, width - at);
      if (!last || columns_[i].align == Align::right)
        text = pad(text, widths[i], columns_[i].align);
      line += paint(text, row[i].colour, colours);
      if (!last) line += "  ";
      at += widths[i] + 2;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.push_back({column.title, Colour::strong});
  add_line(titles);
  for (const auto& row : rows_) add_line(row);
  return out;
}

Output::Output(bool json, bool colours)
    : json_(json), colours_(colours), width_(terminal_width(stdout)) {}

void Output::text(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  // A reader such as head that has seen enough makes nothing wrong of what was done.
  if (!written && errno != EPIPE) throw_errno("cannot write to standard output");
}

void Output::line(std::string_view text) { this->text(std::string(text) + "\n"); }

void Output::table(const Table& table) { text(table.render(colours_, width_)); }

void Output::document(std::string_view json) { line(json); }

std::string Output::paint(std::string_view text, Colour colour) const {
  return bkp::paint(text, colour, colours_);
}

bool wants_colours(std::FILE* stream, bool no_color) {
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return !no_color && (refused == nullptr || *refused == '\0') && ::isatty(::fileno(stream)) == 1 &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

std::size_t terminal_width(std::FILE* stream) {
  winsize size{};
  if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace bkp
