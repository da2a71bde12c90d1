#include "pg/census.h"

#include <fmt/format.h>

namespace bkp {
namespace {

// Names a catalog's row; {0} is the catalog, {1} the row's object id.
constexpr const char* kNoMember =
    "NOT EXISTS (SELECT FROM members WHERE classid = 'pg_catalog.{0}'::regclass AND objid = {1})";

// Objects that a release brings with it have smaller ones.
constexpr const char* kFirstOwn = "16384";

constexpr const char* kSources = R"(
WITH members AS MATERIALIZED (
  SELECT classid, objid FROM pg_catalog.pg_depend
  WHERE deptype = 'e' AND refclassid = 'pg_catalog.pg_extension'::regclass
), schemas AS MATERIALIZED (
  SELECT oid, nspname FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), relations AS MATERIALIZED (
  SELECT c.oid, relkind FROM pg_catalog.pg_class AS c JOIN schemas AS s ON s.oid = relnamespace
  WHERE {class}
), types AS MATERIALIZED (
  SELECT t.oid, typtype FROM pg_catalog.pg_type AS t JOIN schemas AS s ON s.oid = typnamespace
  WHERE {type}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS e WHERE e.typarray = t.oid)
    AND (typtype <> 'c' OR EXISTS (SELECT FROM pg_catalog.pg_class
                                   WHERE oid = typrelid AND relkind = 'c'))
)
SELECT kind, count(*) FROM ()";

constexpr const char* kRelations = R"(
  SELECT CASE relkind WHEN 'r' THEN 'tables' WHEN 'p' THEN 'partitioned tables'
              WHEN 'f' THEN 'foreign tables' WHEN 'v' THEN 'views'
              WHEN 'm' THEN 'materialized views' WHEN 'S' THEN 'sequences' END AS kind
  FROM relations WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
  UNION ALL SELECT 'columns' FROM pg_catalog.pg_attribute JOIN relations AS r ON r.oid = attrelid
  WHERE relkind IN ('r', 'p', 'f', 'v', 'm') AND attnum > 0 AND NOT attisdropped
  UNION ALL SELECT 'indexes' FROM pg_catalog.pg_index JOIN relations AS r ON r.oid = indrelid
  WHERE relkind IN ('r', 'p', 'm') AND (indisvalid OR relkind = 'p') AND indisready
  UNION ALL
  SELECT CASE contype WHEN 'c' THEN 'check constraints' WHEN 'f' THEN 'foreign keys'
              WHEN 'p' THEN 'primary keys' WHEN 'u' THEN 'unique constraints'
              WHEN 'x' THEN 'exclusion constraints' ELSE 'constraint triggers' END
  FROM pg_catalog.pg_constraint JOIN relations AS r ON r.oid = conrelid
  WHERE contype IN ('c', 'f', 'p', 'u', 'x', 't') AND conparentid = 0
  UNION ALL SELECT 'domain constraints'
  FROM pg_catalog.pg_constraint JOIN types AS t ON t.oid = contypid WHERE contype = 'c'
  UNION ALL SELECT 'triggers' FROM pg_catalog.pg_trigger JOIN relations AS r ON r.oid = tgrelid
  WHERE NOT tgisinternal{clone}
  UNION ALL SELECT 'policies' FROM pg_catalog.pg_policy JOIN relations AS r ON r.oid = polrelid
  UNION ALL SELECT 'rules' FROM pg_catalog.pg_rewrite JOIN relations AS r ON r.oid = ev_class
  WHERE rulename <> '_RETURN'
)";

constexpr const char* kOthers = R"(
  UNION ALL
  SELECT CASE prokind WHEN 'a' THEN 'aggregates' WHEN 'p' THEN 'procedures' ELSE 'functions' END
  FROM pg_catalog.pg_proc AS p JOIN schemas AS s ON s.oid = pronamespace
  WHERE {proc}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE deptype = 'i' AND objid = p.oid
                                             AND classid = 'pg_catalog.pg_proc'::regclass)
  UNION ALL
  SELECT CASE typtype WHEN 'd' THEN 'domains' WHEN 'e' THEN 'enums' WHEN 'r' THEN 'range types'
              WHEN 'c' THEN 'composite types' ELSE 'base types' END
  FROM types WHERE typtype IN ('b', 'c', 'd', 'e', 'r')
  UNION ALL SELECT 'schemas' FROM schemas AS s WHERE nspname <> 'public' AND {namespace}
  UNION ALL SELECT 'extensions' FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'
  UNION ALL SELECT 'event triggers' FROM pg_catalog.pg_event_trigger AS e WHERE {event_trigger}
  UNION ALL SELECT 'publications' FROM pg_catalog.pg_publication AS p WHERE {publication}
  UNION ALL SELECT 'statistics' FROM pg_catalog.pg_statistic_ext AS e
  JOIN schemas AS s ON s.oid = stxnamespace WHERE {statistic}
  UNION ALL SELECT 'operators' FROM pg_catalog.pg_operator AS o
  JOIN schemas AS s ON s.oid = oprnamespace WHERE oprcode <> 0 AND {operator}
  UNION ALL SELECT 'operator classes' FROM pg_catalog.pg_opclass AS o
  JOIN schemas AS s ON s.oid = opcnamespace WHERE {opclass}
  UNION ALL SELECT 'collations' FROM pg_catalog.pg_collation AS o
  JOIN schemas AS s ON s.oid = collnamespace WHERE {collation}
  UNION ALL SELECT 'text search configurations' FROM pg_catalog.pg_ts_config AS o
  JOIN schemas AS s ON s.oid = cfgnamespace WHERE {ts_config}
  UNION ALL SELECT 'text search dictionaries' FROM pg_catalog.pg_ts_dict AS o
  JOIN schemas AS s ON s.oid = dictnamespace WHERE {ts_dict}
  UNION ALL SELECT 'casts' FROM pg_catalog.pg_cast AS o WHERE oid >= {own} AND {cast}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE deptype = 'i' AND objid = o.oid
                                             AND classid = 'pg_catalog.pg_cast'::regclass)
  UNION ALL SELECT 'languages' FROM pg_catalog.pg_language AS o WHERE oid >= {own} AND {language}
  UNION ALL SELECT 'foreign servers' FROM pg_catalog.pg_foreign_server AS o WHERE {server}
  UNION ALL SELECT 'foreign-data wrappers'
  FROM pg_catalog.pg_foreign_data_wrapper AS o WHERE {wrapper}
) AS objects GROUP BY kind)";

std::string no_member(const char* catalog, const char* object) {
  return fmt::format(fmt::runtime(kNoMember), catalog, object);
}

std::string census_query(int major) {
  using fmt::arg;
  return fmt::format(fmt::runtime(kSources), arg("class", no_member("pg_class", "c.oid")),
                     arg("type", no_member("pg_type", "t.oid"))) +
         fmt::format(fmt::runtime(kRelations),
                     arg("clone", major >= 13 ? " AND tgparentid = 0" : "")) +
         fmt::format(fmt::runtime(kOthers), arg("own", kFirstOwn),
                     arg("proc", no_member("pg_proc", "p.oid")),
                     arg("namespace", no_member("pg_namespace", "s.oid")),
                     arg("event_trigger", no_member("pg_event_trigger", "e.oid")),
                     arg("publication", no_member("pg_publication", "p.oid")),
                     arg("statistic", no_member("pg_statistic_ext", "e.oid")),
                     arg("operator", no_member("pg_operator", "o.oid")),
                     arg("opclass", no_member("pg_opclass", "o.oid")),
                     arg("collation", no_member("pg_collation", "o.oid")),
                     arg("ts_config", no_member("pg_ts_config", "o.oid")),
                     arg("ts_dict", no_member("pg_ts_dict", "o.oid")),
                     arg("cast", no_member("pg_cast", "o.oid")),
                     arg("language", no_member("pg_language", "o.oid")),
                     arg("server", no_member("pg_foreign_server", "o.oid")),
                     arg("wrapper", no_member("pg_foreign_data_wrapper", "o.oid")));
}

}  // namespace

std::map<std::string, std::uint64_t> take_census(PgConnection& connection) {
  std::map<std::string, std::uint64_t> census;
  for (const PgRow& row : connection.query(census_query(connection.major())))
    census[row.at(0).value()] = std::stoull(row.at(1).value());
  return census;
}

}  // namespace bkp
