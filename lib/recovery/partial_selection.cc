#include "recovery/partial_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pg/name.h"

namespace bkp {
namespace {

using Kinds = std::set<std::string_view>;

const Kinds kRelations = {"TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE"};
// Of no schema and no object, or of the database as a whole.
const Kinds kNever = {"ENCODING", "STDSTRINGS", "SEARCHPATH",   "DATABASE", "DATABASE PROPERTIES",
                      "BLOB",     "BLOBS",      "BLOB METADATA"};
const Kinds kData = {"TABLE DATA", "SEQUENCE SET", "MATERIALIZED VIEW DATA", "STATISTICS DATA"};
const Kinds kRows = {"TABLE DATA", "SEQUENCE SET"};
// Named "table name" and depending on it, perhaps among others.
const Kinds kOfTable = {"CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "TRIGGER",
                        "RULE",       "POLICY",           "DEFAULT"};
// Their first dependency is what they are about.
const Kinds kAbout = {"COMMENT",
                      "ACL",
                      "SECURITY LABEL",
                      "TABLE DATA",
                      "SEQUENCE SET",
                      "SEQUENCE OWNED BY",
                      "MATERIALIZED VIEW DATA",
                      "STATISTICS DATA",
                      "ROW SECURITY"};
const Kinds kAttached = {"TABLE ATTACH", "INDEX ATTACH"};

class Selector {
 public:
  Selector(const std::vector<ArchiveEntry>& entries, const PartialWish& wish,
           const std::function<bool(const ArchiveEntry&)>& exists)
      : entries_(entries), wish_(wish), exists_(exists) {
    for (const ArchiveEntry& entry : entries_) by_id_[entry.id] = &entry;
  }

  PartialSelection select() {
    for (const ArchiveEntry& entry : entries_)
      if (is_chosen(entry)) chosen_.insert(entry.id);
    add_hanging(chosen_);
    if (wish_.content == PartialContent::data) return rows_alone();
    leave_out_existing();
    std::set<std::int64_t> needed;
    for (const std::int64_t id : chosen_) add_needs(*by_id_.at(id), needed);
    add_hanging(needed);
    result_.entries = chosen_;
    result_.entries.insert(needed.begin(), needed.end());
    if (wish_.content == PartialContent::schema)
      std::erase_if(result_.entries,
                    [&](std::int64_t id) { return kData.contains(by_id_.at(id)->kind); });
    return std::move(result_);
  }

 private:
  bool is_chosen(const ArchiveEntry& entry) const {
    if (kNever.contains(entry.kind)) return false;
    if (wish_.everything || wish_.relations.contains(entry.id)) return true;
    if (entry.kind == "SCHEMA") return wish_.schemas.contains(entry.tag);
    return !entry.schema.empty() && wish_.schemas.contains(entry.schema) &&
           entry.kind != "PUBLICATION TABLE" && !kAttached.contains(entry.kind);
  }

  const ArchiveEntry* found(std::int64_t id) const {
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? nullptr : at->second;
  }

  bool depends_on_any(const ArchiveEntry& entry, const std::set<std::int64_t>& of,
                      const std::function<bool(const ArchiveEntry&)>& matches) const {
    return std::any_of(entry.depends_on.begin(), entry.depends_on.end(), [&](std::int64_t id) {
      const ArchiveEntry* other = found(id);
      return other && of.contains(id) && matches(*other);
    });
  }

  bool hangs_on(const ArchiveEntry& entry, const std::set<std::int64_t>& of) const {
    if (kAbout.contains(entry.kind))
      return !entry.depends_on.empty() && of.contains(entry.depends_on.front());
    if (kOfTable.contains(entry.kind))
      return depends_on_any(entry, of, [&](const ArchiveEntry& other) {
        return is_relation(other) && other.schema == entry.schema &&
               entry.tag.starts_with(other.tag + " ");
      });
    if (entry.kind == "INDEX" || entry.kind == "STATISTICS")
      return depends_on_any(entry, of, is_relation);
    if (entry.kind == "SEQUENCE")  // owned by a column, or its identity
      return depends_on_any(entry, of, [](const ArchiveEntry& o) { return o.kind == "TABLE"; });
    if (kAttached.contains(entry.kind))
      return std::all_of(entry.depends_on.begin(), entry.depends_on.end(),
                         [&](std::int64_t id) { return !found(id) || of.contains(id); });
    return false;
  }

  // A chosen table's partitions hold its rows.
  void add_partitions(std::set<std::int64_t>& to) const {
    for (const ArchiveEntry& entry : entries_)
      if (entry.kind == "TABLE ATTACH" && entry.depends_on.size() >= 2 &&
          to.contains(entry.depends_on[1]) && found(entry.depends_on[0]))
        to.insert(entry.depends_on[0]);
  }

  void add_hanging(std::set<std::int64_t>& to) const {
    for (std::size_t before = to.size() + 1; before != to.size();) {
      before = to.size();
      add_partitions(to);
      for (const ArchiveEntry& entry : entries_)
        if (!to.contains(entry.id) && hangs_on(entry, to)) to.insert(entry.id);
    }
  }

  PartialSelection rows_alone() {
    for (const std::int64_t id : chosen_) {
      const ArchiveEntry& entry = *by_id_.at(id);
      if (!kRows.contains(entry.kind)) continue;
      result_.entries.insert(id);
      const ArchiveEntry* table = entry.depends_on.empty() ? nullptr : found(entry.depends_on[0]);
      if (table && !exists_(*table)) result_.absent.push_back(table);
    }
    return std::move(result_);
  }

  // With the comments and privileges of what is left out.
  void leave_out_existing() {
    std::set<std::int64_t> there;
    for (const std::int64_t id : chosen_) {
      const ArchiveEntry& entry = *by_id_.at(id);
      if (!exists_(entry)) continue;
      if (entry.kind == "SCHEMA" || entry.kind == "EXTENSION")
        there.insert(id);
      else
        result_.existing.push_back(&entry);
    }
    add_hanging(there);
    for (const std::int64_t id : there) chosen_.erase(id);
  }

  void add_needs(const ArchiveEntry& entry, std::set<std::int64_t>& needed) {
    for (const std::int64_t id : entry.depends_on) {
      const ArchiveEntry* other = found(id);
      if (!other || chosen_.contains(id) || needed.contains(id) || exists_(*other)) continue;
      if (is_relation(*other) && other->kind != "SEQUENCE") {
        add_missing(*other, entry);
        continue;
      }
      // A key that a foreign key refers to is its table's own.
      if (kNever.contains(other->kind) || kOfTable.contains(other->kind) ||
          kAbout.contains(other->kind) || other->kind == "INDEX")
        continue;
      needed.insert(id);
      add_needs(*other, needed);
    }
  }

  void add_missing(const ArchiveEntry& needed, const ArchiveEntry& by) {
    MissingRelation missing{qualified_name(needed.schema, needed.tag),
                            fmt::format("{} {}", by.kind, qualified_name(by.schema, by.tag))};
    if (std::find(result_.missing.begin(), result_.missing.end(), missing) == result_.missing.end())
      result_.missing.push_back(std::move(missing));
  }

  const std::vector<ArchiveEntry>& entries_;
  const PartialWish& wish_;
  const std::function<bool(const ArchiveEntry&)>& exists_;
  std::map<std::int64_t, const ArchiveEntry*> by_id_;
  std::set<std::int64_t> chosen_;
  PartialSelection result_;
};

}  // namespace

bool is_relation(const ArchiveEntry& entry) { return kRelations.contains(entry.kind); }

PartialSelection select_entries(const std::vector<ArchiveEntry>& entries, const PartialWish& wish,
                                const std::function<bool(const ArchiveEntry&)>& exists) {
  return Selector(entries, wish, exists).select();
}

std::string list_file(const std::vector<ArchiveEntry>& entries,
                      const std::set<std::int64_t>& selected) {
  std::string text;
  for (const ArchiveEntry& entry : entries)
    if (selected.contains(entry.id)) text += fmt::format("{};\n", entry.id);
  return text;
}

}  // namespace bkp
