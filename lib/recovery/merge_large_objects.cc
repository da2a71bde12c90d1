#include "recovery/merge_large_objects.h"

#include <fmt/format.h>

#include "pg/name.h"
#include "policy/row_difference.h"
#include "tenant/row_cursor.h"

namespace bkp {
namespace {

constexpr std::uint64_t kAtOnce = 8 << 20;  // hashed whole by the server
constexpr std::uint64_t kPiece = 1 << 20;

// oid as the key; content: length and digest of the first kAtOnce bytes.
RowSelection selection() {
  RowSelection rows;
  rows.from = fmt::format(
      "(SELECT oid::bigint AS oid, length(start) AS length, "
      "encode(sha256(start), 'hex') AS digest FROM (SELECT oid, lo_get(oid, 0, {}) AS start "
      "FROM pg_largeobject_metadata OFFSET 0) AS starts) AS objects",
      kAtOnce);
  rows.key = {"oid"};
  rows.order = {KeyOrder::number};
  rows.columns = {"length", "digest"};
  return rows;
}

std::string piece_of(PgConnection& connection, const std::string& oid, std::uint64_t at) {
  return connection.query_value("SELECT encode(lo_get($1::oid, $2::bigint, $3::int), 'hex')",
                                {oid, std::to_string(at), std::to_string(kPiece)});
}

bool same_rest(PgConnection& then, PgConnection& now, const std::string& oid) {
  for (std::uint64_t at = kAtOnce;; at += kPiece) {
    const std::string left = piece_of(then, oid, at);
    if (left != piece_of(now, oid, at)) return false;
    if (left.empty()) return true;
  }
}

void copy_content(PgConnection& then, PgConnection& now, const std::string& oid) {
  for (std::uint64_t at = 0;; at += kPiece) {
    const std::string piece = piece_of(then, oid, at);
    if (piece.empty()) return;
    now.query("SELECT lo_put($1::oid, $2::bigint, decode($3, 'hex'))",
              {oid, std::to_string(at), piece});
  }
}

void copy_properties(PgConnection& then, PgConnection& now, const std::string& oid) {
  const PgRow row = then.query(
                            "SELECT pg_get_userbyid(lomowner), "
                            "obj_description(oid, 'pg_largeobject') "
                            "FROM pg_largeobject_metadata WHERE oid = $1::oid",
                            {oid})
                        .at(0);
  now.execute(
      fmt::format("ALTER LARGE OBJECT {} OWNER TO {}", oid, quoted_name(row.at(0).value())));
  if (row.at(1))
    now.execute(
        fmt::format("COMMENT ON LARGE OBJECT {} IS {}", oid, now.quote_literal(*row.at(1))));
  for (const PgRow& grant : then.query(R"(
SELECT privilege_type, CASE WHEN grantee = 0 THEN NULL ELSE pg_get_userbyid(grantee) END,
       is_grantable
FROM pg_largeobject_metadata, aclexplode(lomacl) WHERE oid = $1::oid AND grantee <> lomowner)",
                                       {oid}))
    now.execute(fmt::format("GRANT {} ON LARGE OBJECT {} TO {}{}", grant.at(0).value(), oid,
                            grant.at(1) ? quoted_name(*grant.at(1)) : "PUBLIC",
                            grant.at(2) == "t" ? " WITH GRANT OPTION" : ""));
}

}  // namespace

LargeObjectDifference diff_large_objects(PgConnection& then, PgConnection& now) {
  LargeObjectDifference difference;
  std::vector<std::uint32_t> long_ones;
  {
    const std::string full = std::to_string(kAtOnce) + "\t";
    RowCursor left(then, selection(), "UTF8"), right(now, selection(), "UTF8");
    diff_rows(left, right, {KeyOrder::number},
              [&](RowState state, const KeyedRow* old, const KeyedRow* live) {
                const auto oid = static_cast<std::uint32_t>(
                    std::stoul((old != nullptr ? old : live)->key.front()));
                if (state == RowState::missing) difference.missing.push_back(oid);
                if (state == RowState::changed) difference.changed.push_back(oid);
                if (state == RowState::extra) ++difference.extra;
                if (state != RowState::same) return;
                if (old->content.starts_with(full))
                  long_ones.push_back(oid);
                else
                  ++difference.same;
              });
  }
  for (const std::uint32_t oid : long_ones) {
    if (same_rest(then, now, std::to_string(oid)))
      ++difference.same;
    else
      difference.changed.push_back(oid);
  }
  return difference;
}

void merge_large_objects(PgConnection& then, PgConnection& now,
                         const LargeObjectDifference& difference, bool overwrite) {
  for (const std::uint32_t number : difference.missing) {
    const std::string oid = std::to_string(number);
    now.query("SELECT lo_create($1::oid)", {oid});
    copy_content(then, now, oid);
    copy_properties(then, now, oid);
  }
  if (!overwrite) return;
  for (const std::uint32_t number : difference.changed) {
    const std::string oid = std::to_string(number);
    now.query("SELECT lo_truncate64(lo_open($1::oid, 131072), 0)", {oid});  // INV_WRITE
    copy_content(then, now, oid);
  }
}

}  // namespace bkp
