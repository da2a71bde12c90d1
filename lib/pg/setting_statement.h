// ALTER DATABASE … SET and ALTER ROLE … SET for a setting as pg_db_role_setting has it.
#pragma once

#include <string>
#include <vector>

#include "pg/database_properties.h"

namespace bkp {

// "ALTER ROLE x IN DATABASE y", "ALTER ROLE ALL", "ALTER DATABASE y"; an empty database: none.
std::string setting_subject(const std::string& role, const std::string& database);
// What brings the value to `subject`, in order and in one transaction. Lists of names are written
// as lists: as one text they would become one name.
std::vector<std::string> setting_statements(const std::string& subject,
                                            const DatabaseSetting& setting);

}  // namespace bkp
