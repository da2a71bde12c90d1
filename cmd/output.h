// Results on standard output: tables and text for people, one JSON document for programs.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace bkp {

enum class Colour { plain, good, warn, bad, faint, strong };

struct Cell {
  std::string text;
  Colour colour = Colour::plain;
};

enum class Align { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
};

// Columns that an terminal shows of a text: UTF-8 with combining and double-width characters; an
// invalid byte counts as one.
std::size_t display_width(std::string_view text);
// Control characters and invalid UTF-8 (a database may be named anything) as '?', tabs and line
// ends as a blank.
std::string printable(std::string_view text);
// At most `width` columns, ending in "…" where cut.
std::string shorten(std::string_view text, std::size_t width);

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as columns.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  // Every line ends in a newline and has no trailing blanks. The last column is cut so that lines
  // keep to `width` columns; 0: they may be any length.
  std::string render(bool colours, std::size_t width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

class Output {
 public:
  // Writes to standard output.
  Output(bool json, bool colours);

  // What a command prints for people and what for programs: it asks, and does one of the two.
  bool json() const { return json_; }
  void text(std::string_view text);  // as it is
  void line(std::string_view text);  // and a newline
  void table(const Table& table);
  // One JSON document, already encoded.
  void document(std::string_view json);
  std::string paint(std::string_view text, Colour colour) const;

 private:
  bool json_;
  bool colours_;
  std::size_t width_;
};

// Whether colours are wanted on `stream`: a terminal, no NO_COLOR, no --no-color.
bool wants_colours(std::FILE* stream, bool no_color);
// Columns of the terminal behind `stream`, 0 where it is none.
std::size_t terminal_width(std::FILE* stream);
std::string paint(std::string_view text, Colour colour, bool colours);

}  // namespace bkp
