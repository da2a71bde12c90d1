// What can be said of a database's soundness without reading its rows: told of the source when it
// is dumped, and of what a restore made of it, so that the two can be compared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace bkp {

// A sequence whose next value its column holds already, or is beyond.
struct LowSequence {
  std::string sequence;  // "public.orders_id_seq"
  std::string column;    // "public.orders.id"
  std::string next;      // decimal
  std::string reached;   // the column's largest value, the smallest where the sequence descends
  friend bool operator==(const LowSequence&, const LowSequence&) = default;
};

// Names are qualified_name()s; a constraint's is that of its table or domain, a dot and its own.
struct Soundness {
  int major = 0;                                // of the server
  std::map<std::string, std::uint64_t> census;  // "foreign keys": how many; what pg_dump takes
  std::vector<std::string> not_valid;           // constraints declared NOT VALID
  std::vector<std::string> invalid_indexes;     // pg_dump leaves most of them out
  std::vector<LowSequence> low_sequences;
  std::map<std::string, std::string> unlooked_sequences;  // not compared: the next value of each
  std::vector<std::string> unread;  // what could not be read, and why: that part is empty
  friend bool operator==(const Soundness&, const Soundness&) = default;
};

enum class Effort {
  cheap,  // reads a column's largest value only where an index has it: for a live database
  whole,
};

// In the transaction of `connection`, which must be in one; holds no lock on a table afterwards.
// What the role may not read, or waits for longer than a moment, is in `unread` or
// `unlooked_sequences`. Throws Error only when the connection is lost, or to stop.
Soundness read_soundness(PgConnection& connection, Effort effort);

}  // namespace bkp
