// What a server says of itself, as files for a configuration snapshot: what no dump of a database
// and no file of the configuration tells.
#pragma once

#include <string>
#include <vector>

#include "backup/configuration.h"

namespace bkp {

struct ServerState {
  struct File {
    std::string name;     // "settings.json", below kServerDirectory
    std::string content;  // JSON, the same for the same state; no password
  };
  std::vector<File> files;
  std::vector<LeftOut> left_out;  // what the role may not read, with the GRANT that cures it

  // The server's own configuration files, as paths on its host, and the key of its certificate.
  std::vector<std::string> configuration_files;
  std::string private_key;  // empty: none is used
  bool on_this_host = false;

  int version = 0;  // 150020; 0: the server did not answer
  std::string system_identifier;
};

// Never throws for what a server does not tell: that is left out. Throws when asked to stop.
ServerState read_server_state(const std::string& conninfo);

}  // namespace bkp
