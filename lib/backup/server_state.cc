#include "backup/server_state.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/connection.h"
#include "pg/dump_access.h"

namespace bkp {
namespace {

// One file: rows that the server itself writes as JSON. `from`: the first version that has it.
struct Item {
  const char* name;
  const char* rows;   // SELECT of one jsonb column called j, ordered
  const char* grant;  // what a role needs that may not read it; nullptr: everybody may
  int from = 0;
};

constexpr const char* kSettings =
    "SELECT jsonb_build_object('name', name, 'setting', regexp_replace(regexp_replace(setting,"
    " '(password\\s*=\\s*)(''[^'']*''|[^[:space:]]+)', '\\1****', 'gi'),"
    " '(://[^:/@]*:)[^@]*@', '\\1****@', 'g'), 'unit', unit, 'source', source,"
    " 'sourcefile', sourcefile, 'sourceline', sourceline, 'pending_restart', pending_restart) AS j"
    " FROM pg_catalog.pg_settings"
    " WHERE source NOT IN ('default', 'client', 'session', 'database', 'user', 'database user',"
    " 'interactive', 'test') AND name NOT LIKE 'transaction\\_%' ORDER BY name";

constexpr Item kOfCluster[] = {
    {"version.json",
     "SELECT jsonb_build_object('version', version(), 'server_version_num',"
     " current_setting('server_version_num')::int, 'data_checksums',"
     " current_setting('data_checksums'), 'block_size', current_setting('block_size'),"
     " 'wal_segment_size', current_setting('wal_segment_size')) AS j",
     nullptr},
    {"settings.json", kSettings, nullptr},
    {"hba.json",
     "SELECT to_jsonb(r) AS j FROM pg_catalog.pg_hba_file_rules r ORDER BY "
     "to_jsonb(r)->'rule_number',"
     " line_number",
     "GRANT SELECT ON pg_hba_file_rules TO {0}; GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO"
     " {0};"},
    {"ident.json",
     "SELECT to_jsonb(r) AS j FROM pg_catalog.pg_ident_file_mappings r"
     " ORDER BY to_jsonb(r)->'map_number', line_number",
     "GRANT SELECT ON pg_ident_file_mappings TO {0}; GRANT EXECUTE ON FUNCTION"
     " pg_ident_file_mappings() TO {0};",
     150000},
    {"databases.json",
     "SELECT to_jsonb(d) - "
     "'{oid,datdba,dattablespace,datfrozenxid,datminmxid,datlastsysoid}'::text[]"
     " || jsonb_build_object('owner', pg_get_userbyid(datdba), 'encoding_name',"
     " pg_encoding_to_char(encoding), 'tablespace',"
     " (SELECT spcname FROM pg_catalog.pg_tablespace t WHERE t.oid = dattablespace)) AS j"
     " FROM pg_catalog.pg_database d ORDER BY datname",
     nullptr},
    {"roles.json",
     "SELECT to_jsonb(r) - '{oid,rolpassword}'::text[] || jsonb_build_object('member_of',"
     " (SELECT coalesce(jsonb_agg(to_jsonb(m) - '{oid,roleid,member,grantor}'::text[] ||"
     " jsonb_build_object('role', pg_get_userbyid(m.roleid), 'grantor', pg_get_userbyid(m.grantor))"
     " ORDER BY pg_get_userbyid(m.roleid), pg_get_userbyid(m.grantor)), '[]')"
     " FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid)) AS j"
     " FROM pg_catalog.pg_roles r ORDER BY rolname",
     nullptr},
    {"role_settings.json",
     "SELECT jsonb_build_object('database', (SELECT datname FROM pg_catalog.pg_database d"
     " WHERE d.oid = setdatabase), 'role', CASE setrole WHEN 0 THEN NULL ELSE"
     " pg_get_userbyid(setrole) END, 'settings', to_jsonb(setconfig)) AS j"
     " FROM pg_catalog.pg_db_role_setting ORDER BY 1",
     nullptr},
    {"tablespaces.json",
     "SELECT to_jsonb(t) - '{oid,spcowner}'::text[] || jsonb_build_object('owner',"
     " pg_get_userbyid(spcowner), 'location', pg_tablespace_location(oid)) AS j"
     " FROM pg_catalog.pg_tablespace t ORDER BY spcname",
     nullptr},
    {"parameter_grants.json",
     "SELECT jsonb_build_object('parameter', parname, 'acl', to_jsonb(paracl::text[])) AS j"
     " FROM pg_catalog.pg_parameter_acl ORDER BY parname",
     nullptr, 150000},
    {"replication_slots.json",
     "SELECT jsonb_build_object('slot_name', slot_name, 'plugin', plugin, 'slot_type', slot_type,"
     " 'database', database) AS j FROM pg_catalog.pg_replication_slots WHERE NOT temporary"
     " ORDER BY slot_name",
     nullptr},
    {"standbys.json",
     "SELECT DISTINCT jsonb_build_object('application_name', application_name, 'role', usename,"
     " 'client_addr', client_addr, 'sync_state', sync_state) AS j"
     " FROM pg_catalog.pg_stat_replication WHERE state <> 'backup' OR state IS NULL ORDER BY 1",
     nullptr},
    {"subscriptions.json",
     "SELECT jsonb_build_object('database', (SELECT datname FROM pg_catalog.pg_database d"
     " WHERE d.oid = subdbid), 'name', subname, 'owner', pg_get_userbyid(subowner), 'enabled',"
     " subenabled, 'slot_name', subslotname, 'publications', to_jsonb(subpublications)) AS j"
     " FROM pg_catalog.pg_subscription ORDER BY 1",
     nullptr},
};

// Parts of the file of one database.
constexpr Item kOfDatabase[] = {
    {"extensions",
     "SELECT jsonb_build_object('name', extname, 'version', extversion, 'schema', nspname,"
     " 'default_version', (SELECT default_version FROM pg_catalog.pg_available_extensions a"
     " WHERE a.name = extname)) AS j FROM pg_catalog.pg_extension e"
     " JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace ORDER BY extname",
     nullptr},
    // Those of the system by provider and version, those that were created by name.
    {"collations",
     "SELECT jsonb_build_object('provider', collprovider, 'name', CASE WHEN c.oid >= 16384 THEN"
     " quote_ident(nspname) || '.' || quote_ident(collname) END, 'version', collversion,"
     " 'actual_version', pg_collation_actual_version(c.oid), 'count', count(*)) AS j"
     " FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = collnamespace"
     " WHERE collversion IS NOT NULL GROUP BY collprovider,"
     " CASE WHEN c.oid >= 16384 THEN quote_ident(nspname) || '.' || quote_ident(collname) END,"
     " collversion, pg_collation_actual_version(c.oid) ORDER BY 1",
     nullptr},
    {"schemas",
     "SELECT jsonb_build_object('name', nspname, 'owner', pg_get_userbyid(nspowner), 'acl',"
     " to_jsonb(nspacl::text[])) AS j FROM pg_catalog.pg_namespace"
     " WHERE nspname !~ '^pg_(toast|temp)' ORDER BY nspname",
     nullptr},
    {"default_privileges",
     "SELECT jsonb_build_object('role', pg_get_userbyid(defaclrole), 'schema',"
     " (SELECT nspname FROM pg_catalog.pg_namespace n WHERE n.oid = defaclnamespace), 'kind',"
     " defaclobjtype, 'acl', to_jsonb(defaclacl::text[])) AS j FROM pg_catalog.pg_default_acl"
     " ORDER BY 1",
     nullptr},
    {"publications",
     "SELECT to_jsonb(p) - '{oid,pubowner}'::text[] || jsonb_build_object('owner',"
     " pg_get_userbyid(pubowner), 'tables', (SELECT coalesce(jsonb_agg(schemaname || '.' || "
     "tablename"
     " ORDER BY schemaname, tablename), '[]') FROM pg_catalog.pg_publication_tables t"
     " WHERE t.pubname = p.pubname)) AS j FROM pg_catalog.pg_publication p ORDER BY pubname",
     nullptr},
};

constexpr const char* kFileSettings =
    "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('config_file', 'hba_file',"
    " 'ident_file', 'data_directory', 'ssl', 'ssl_cert_file', 'ssl_key_file', 'ssl_ca_file',"
    " 'ssl_crl_file', 'ssl_dh_params_file') AND setting <> ''";

std::string pretty(PgConnection& server, const Item& item) {
  return server.query_value(fmt::format(
      "SELECT coalesce(jsonb_pretty(jsonb_agg(j)), '[]') FROM ({}) AS rows", item.rows));
}

// A database's name as a file's: what is not a letter, a digit, '_', '-' or '.' as %XX.
std::string file_name_of(const std::string& database) {
  std::string name;
  for (const char c : database) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    name += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return "database-" + name + ".json";
}

class StateReader {
 public:
  explicit StateReader(const std::string& conninfo) : conninfo_(conninfo) {}

  ServerState read() {
    trying("", "", [&] { server_.emplace(conninfo_); });
    if (!server_) return std::move(state_);
    state_.version = server_->server_version();
    trying("", "", [&] { state_.system_identifier = system_identifier(*server_); });
    trying("settings.json", "", [&] { tell_hidden_settings(); });
    for (const Item& item : kOfCluster)
      if (state_.version >= item.from)
        trying(item.name, cure(item.grant), [&] { add(item.name, pretty(*server_, item)); });
    trying("", "", [&] { find_files(); });
    trying("databases.json", "", [&] {
      for (const PgRow& row : server_->query("SELECT datname FROM pg_catalog.pg_database WHERE"
                                             " datallowconn AND NOT datistemplate ORDER BY 1"))
        read_database(*row[0]);
    });
    return std::move(state_);
  }

 private:
  // What fails is left out under that name; the rest goes on.
  template <typename Work>
  void trying(const std::string& name, const std::string& cure, Work work) {
    try {
      work();
    } catch (const Error& error) {
      check_interrupt();
      const std::string& hint = cure.empty() ? error.hint() : cure;
      state_.left_out.push_back({std::string(kServerDirectory) + (name.empty() ? "" : "/" + name),
                                 error.message() + (hint.empty() ? "" : " (" + hint + ")"), true});
    }
  }

  std::string cure(const char* grant) const {
    if (grant == nullptr) return {};
    return fmt::format("as a superuser, in database '{}': ", server_->database()) +
           fmt::format(fmt::runtime(grant), server_->quote_identifier(server_->user()));
  }

  void add(const std::string& name, std::string content) {
    state_.files.push_back({name, std::move(content) + "\n"});
  }

  void tell_hidden_settings() {
    if (server_->query_value("SELECT pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')") ==
        "t")
      return;
    throw Error(ErrorCode::failed,
                fmt::format("role '{}' does not see all settings", server_->user()),
                cure("GRANT pg_read_all_settings TO {0};"));
  }

  void find_files() {
    state_.on_this_host = server_->query_value(
                              "SELECT inet_server_addr() IS NULL OR host(inet_server_addr())"
                              " IN ('127.0.0.1', '::1')") == "t";
    std::map<std::string, std::string> settings;
    for (const PgRow& row : server_->query(kFileSettings)) settings[*row[0]] = *row[1];
    const std::string data = settings["data_directory"];
    if (data.empty()) return;  // hidden from the role, which is told already
    const auto placed = [&data](const std::string& path) {
      return path.starts_with('/') ? path : data + "/" + path;
    };
    std::set<std::string> files{data + "/postgresql.auto.conf"};
    for (const char* name : {"config_file", "hba_file", "ident_file"})
      if (!settings[name].empty()) files.insert(placed(settings[name]));
    if (settings["ssl"] == "on") {
      for (const char* name :
           {"ssl_cert_file", "ssl_ca_file", "ssl_crl_file", "ssl_dh_params_file"})
        if (!settings[name].empty()) files.insert(placed(settings[name]));
      if (!settings["ssl_key_file"].empty()) state_.private_key = placed(settings["ssl_key_file"]);
    }
    add_included(files);
    state_.configuration_files.assign(files.begin(), files.end());
  }

  void add_included(std::set<std::string>& files) {
    const auto all = [&](const char* view, const char* column) {
      trying("settings.json",
             cure(fmt::format(
                      "GRANT SELECT ON {0} TO {{0}}; GRANT EXECUTE ON FUNCTION "
                      "{1}() TO {{0}};",
                      view,
                      view == std::string("pg_file_settings") ? "pg_show_all_file_settings" : view)
                      .c_str()),
             [&] {
               for (const PgRow& row : server_->query(
                        fmt::format("SELECT DISTINCT {} FROM pg_catalog.{} WHERE {} IS NOT NULL",
                                    column, view, column)))
                 files.insert(*row[0]);
             });
    };
    all("pg_file_settings", "sourcefile");
    if (state_.version < 160000) return;
    all("pg_hba_file_rules", "file_name");
    all("pg_ident_file_mappings", "file_name");
  }

  void read_database(const std::string& name) {
    const std::string file = file_name_of(name);
    trying(file, "", [&] {
      PgConnection connection(with_keyword(conninfo_, "dbname", name));
      std::string content = "{";
      for (const Item& item : kOfDatabase)
        content += fmt::format("{}\n\"{}\": {}", content.size() > 1 ? "," : "", item.name,
                               pretty(connection, item));
      add(file, content + "\n}");
    });
  }

  const std::string& conninfo_;
  ServerState state_;
  std::optional<PgConnection> server_;
};

}  // namespace

ServerState read_server_state(const std::string& conninfo) { return StateReader(conninfo).read(); }

}  // namespace bkp
