# embed.cmake: cmake -DINPUT=page.html -DOUTPUT=page.c -P embed.cmake
# Writes the bytes of INPUT as a C array.
file(READ "${INPUT}" hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," body "${hex}")
file(WRITE "${OUTPUT}" "#include \"monitor/page.h\"\n\nconst char mr_page_html[] = {\n${body}\n};\n"
  "const size_t mr_page_html_bytes = ${bytes};\n")
