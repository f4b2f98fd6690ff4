# -DE4J_SANITIZE=ON: address and undefined-behaviour sanitizers over library and tests; a finding fails the test.
option(E4J_SANITIZE "build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
if(E4J_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1)
  add_link_options(-fsanitize=address,undefined)
endif()
