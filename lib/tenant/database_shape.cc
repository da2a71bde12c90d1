#include "tenant/database_shape.h"

#include <fmt/format.h>

#include "pg/name.h"

namespace bkp {
namespace {

using Oids = std::map<std::string, std::size_t>;  // of tables and their partitions → root's index

constexpr const char* kUserTables =
    "c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND n.nspname !~ '^pg_(toast|temp)'";

bool yes(const PgRow& row, std::size_t column) { return row.at(column) == "t"; }
const std::string& text(const PgRow& row, std::size_t column) { return row.at(column).value(); }

std::string operation(const std::string& schema, const std::string& name) {
  return fmt::format("OPERATOR({}.{})", quoted_name(schema), name);
}

Oids read_tables(PgConnection& connection, DatabaseShape& shape) {
  const auto rows = connection.query(fmt::format(R"(
SELECT c.oid, n.nspname, c.relname, c.relkind = 'p', c.relispartition,
       coalesce(pg_partition_root(c.oid)::oid, c.oid), row_security_active(c.oid),
       EXISTS (SELECT FROM pg_rewrite WHERE ev_class = c.oid AND ev_type IN ('2', '3')
               AND ev_enabled <> 'D')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE {} ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C")",
                                                 kUserTables));
  Oids oids;
  for (const PgRow& row : rows) {
    if (yes(row, 4)) continue;
    TableShape table;
    table.oid = static_cast<std::uint32_t>(std::stoul(text(row, 0)));
    table.schema = text(row, 1);
    table.name = text(row, 2);
    table.partitioned = yes(row, 3);
    table.filtered = yes(row, 6);
    table.rewritten = yes(row, 7);
    oids[text(row, 0)] = shape.tables.size();
    shape.tables.push_back(std::move(table));
  }
  for (const PgRow& row : rows) {
    const auto root = oids.find(text(row, 5));
    if (root == oids.end()) continue;
    oids[text(row, 0)] = root->second;
    shape.roots[{text(row, 1), text(row, 2)}] = root->second;
  }
  return oids;
}

void read_columns(PgConnection& connection, const Oids& oids, DatabaseShape& shape) {
  for (const PgRow& row : connection.query(fmt::format(R"(
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef OR a.attidentity <> '', a.attidentity = 'a',
       CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) ELSE '' END
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
     JOIN pg_namespace AS n ON n.oid = c.relnamespace
     LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition AND {}
ORDER BY a.attrelid, a.attnum)",
                                                       kUserTables))) {
    const auto table = oids.find(text(row, 0));
    if (table == oids.end()) continue;
    shape.tables[table->second].columns.push_back(
        {text(row, 1), text(row, 2), yes(row, 3), yes(row, 4), yes(row, 5), text(row, 6)});
  }
}

// An exclusion constraint (and a key WITHOUT OVERLAPS) brings its own operators; a unique index has
// the equality of its operator class.
void read_uniques(PgConnection& connection, const Oids& oids, DatabaseShape& shape) {
  const auto rows =
      connection.query(fmt::format(R"(
SELECT i.indrelid, c.relname, i.indisprimary, i.indisexclusion, i.indimmediate,
       coalesce(pg_get_expr(i.indpred, i.indrelid), ''), {}, k.n,
       pg_get_indexdef(i.indexrelid, k.n, false), coalesce(a.attname, ''), opn.nspname, op.oprname
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     LEFT JOIN pg_constraint AS x ON x.conindid = i.indexrelid AND x.contype IN ('x', 'p', 'u')
          AND x.conexclop IS NOT NULL
     CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k(n)
     LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND i.indkey[k.n - 1] > 0
          AND a.attnum = i.indkey[k.n - 1]
     JOIN pg_opclass AS oc ON oc.oid = i.indclass[k.n - 1]
     JOIN pg_operator AS op ON op.oid = coalesce(x.conexclop[k.n],
          (SELECT o.amopopr FROM pg_amop AS o WHERE o.amopfamily = oc.opcfamily
           AND o.amoplefttype = oc.opcintype AND o.amoprighttype = oc.opcintype
           AND o.amopstrategy = 3 LIMIT 1))
     JOIN pg_namespace AS opn ON opn.oid = op.oprnamespace
WHERE (i.indisunique OR i.indisexclusion) AND i.indisvalid
ORDER BY i.indrelid, i.indisprimary DESC, c.relname COLLATE "C", k.n)",
                                   connection.major() >= 15 ? "i.indnullsnotdistinct" : "false"));
  for (const PgRow& row : rows) {
    const auto table = oids.find(text(row, 0));
    if (table == oids.end() ||
        shape.tables[table->second].oid != std::stoul(text(row, 0)))  // one partition's own
      continue;
    std::vector<UniqueShape>& uniques = shape.tables[table->second].uniques;
    if (text(row, 7) == "1") {
      UniqueShape& unique = uniques.emplace_back();
      unique.name = text(row, 1);
      unique.primary = yes(row, 2);
      unique.exclusion = yes(row, 3);
      unique.immediate = yes(row, 4);
      unique.predicate = text(row, 5);
      unique.nulls_clash = yes(row, 6);
    }
    uniques.back().parts.push_back(
        {text(row, 8), text(row, 9), operation(text(row, 10), text(row, 11))});
  }
}

void read_foreign_keys(PgConnection& connection, const Oids& oids, DatabaseShape& shape) {
  for (const PgRow& row :
       connection.query(fmt::format(R"(
SELECT con.conname, con.conrelid, con.confrelid, cn.nspname, c.relname, pn.nspname, p.relname, k.n,
       ca.attname, pa.attname, opn.nspname, op.oprname
FROM pg_constraint AS con
     JOIN pg_class AS c ON c.oid = con.conrelid JOIN pg_namespace AS cn ON cn.oid = c.relnamespace
     JOIN pg_class AS p ON p.oid = con.confrelid JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
     CROSS JOIN LATERAL unnest(con.conkey, con.confkey, con.conpfeqop) WITH ORDINALITY
          AS k(child, parent, operator, n)
     JOIN pg_attribute AS ca ON ca.attrelid = con.conrelid AND ca.attnum = k.child
     JOIN pg_attribute AS pa ON pa.attrelid = con.confrelid AND pa.attnum = k.parent
     JOIN pg_operator AS op ON op.oid = k.operator
     JOIN pg_namespace AS opn ON opn.oid = op.oprnamespace
WHERE con.contype = 'f' AND con.conparentid = 0 AND {}
ORDER BY cn.nspname COLLATE "C", c.relname COLLATE "C", con.conname COLLATE "C", con.oid, k.n)",
                                    connection.major() >= 18 ? "con.conenforced" : "true"))) {
    const auto child = oids.find(text(row, 1)), parent = oids.find(text(row, 2));
    if (child == oids.end() || parent == oids.end()) continue;
    if (text(row, 7) == "1") {
      ForeignKeyShape& key = shape.foreign_keys.emplace_back();
      key.name = text(row, 0);
      key.child = child->second;
      key.parent = parent->second;
      key.child_relation = qualified_name(text(row, 3), text(row, 4));
      key.parent_relation = qualified_name(text(row, 5), text(row, 6));
    }
    ForeignKeyShape& key = shape.foreign_keys.back();
    key.columns.push_back(text(row, 8));
    key.parent_columns.push_back(text(row, 9));
    key.operations.push_back(operation(text(row, 10), text(row, 11)));
  }
}

void read_triggers(PgConnection& connection, const Oids& oids, DatabaseShape& shape) {
  for (const PgRow& row : connection.query(R"(
SELECT tgrelid, tgname, tgenabled FROM pg_trigger
WHERE NOT tgisinternal AND tgparentid = 0 AND tgenabled <> 'D'
  AND tgtype & (4 | 16) <> 0  -- INSERT, UPDATE
ORDER BY tgrelid, tgname COLLATE "C")")) {
    const auto table = oids.find(text(row, 0));
    if (table == oids.end()) continue;
    const std::string& enabled = text(row, 2);
    shape.tables[table->second].triggers.push_back(
        {text(row, 1), enabled == "A"   ? TriggerShape::Fires::always
                       : enabled == "R" ? TriggerShape::Fires::replica
                                        : TriggerShape::Fires::origin});
  }
}

// With the columns that own it or take their default from it.
void read_sequences(PgConnection& connection, const Oids& oids, DatabaseShape& shape) {
  for (const PgRow& row : connection.query(R"(
SELECT c.oid, n.nspname, c.relname, s.seqincrement > 0, s.seqcycle, u.relation, a.attname
FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
     JOIN pg_namespace AS n ON n.oid = c.relnamespace
     LEFT JOIN (
       SELECT objid AS sequence, refobjid AS relation, refobjsubid AS number FROM pg_depend
       WHERE classid = 'pg_catalog.pg_class'::regclass AND deptype IN ('a', 'i')
         AND refclassid = 'pg_catalog.pg_class'::regclass AND refobjsubid > 0
       UNION
       SELECT d.refobjid, ad.adrelid, ad.adnum
       FROM pg_depend AS d JOIN pg_attrdef AS ad ON ad.oid = d.objid
       WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass
         AND d.refclassid = 'pg_catalog.pg_class'::regclass) AS u ON u.sequence = s.seqrelid
     LEFT JOIN pg_attribute AS a ON a.attrelid = u.relation AND a.attnum = u.number
          AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
WHERE c.relpersistence <> 't' AND n.nspname <> 'pg_catalog'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", c.oid, u.relation, u.number)")) {
    if (shape.sequences.empty() || shape.sequences.back().schema != text(row, 1) ||
        shape.sequences.back().name != text(row, 2))
      shape.sequences.push_back({text(row, 1), text(row, 2), yes(row, 3), yes(row, 4), {}});
    const auto table = row.at(5) ? oids.find(*row.at(5)) : oids.end();
    if (table != oids.end() && row.at(6))
      shape.sequences.back().columns.emplace_back(table->second, *row.at(6));
  }
}

}  // namespace

DatabaseShape read_shape(PgConnection& connection) {
  DatabaseShape shape;
  shape.encoding = connection.query_value("SHOW server_encoding");
  const Oids oids = read_tables(connection, shape);
  read_columns(connection, oids, shape);
  read_uniques(connection, oids, shape);
  read_foreign_keys(connection, oids, shape);
  read_triggers(connection, oids, shape);
  read_sequences(connection, oids, shape);
  return shape;
}

}  // namespace bkp
