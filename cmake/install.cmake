# What `cmake --install build` puts in place: the program, man pages, completions, and examples to copy
# from.
install(TARGETS bkp RUNTIME)
file(GLOB man_pages CONFIGURE_DEPENDS man/*.[1-8])
foreach(page ${man_pages})
  string(REGEX REPLACE ".*\\." "" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

# Each shell looks for its own name.
foreach(completion
    "bkp.bash:${CMAKE_INSTALL_DATADIR}/bash-completion/completions:bkp"
    "_bkp:${CMAKE_INSTALL_DATADIR}/zsh/site-functions:_bkp"
    "bkp.fish:${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d:bkp.fish")
  string(REPLACE ":" ";" fields ${completion})
  list(GET fields 0 file)
  list(GET fields 1 directory)
  list(GET fields 2 name)
  if(EXISTS ${PROJECT_SOURCE_DIR}/completions/${file})
    install(FILES completions/${file} DESTINATION ${directory} RENAME ${name})
  endif()
endforeach()

install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR} USE_SOURCE_PERMISSIONS
  PATTERN __pycache__ EXCLUDE)
