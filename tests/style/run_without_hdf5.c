/* `altgrad run` and nothing else: see CMakeLists.txt. */
#include "app/commands.h"

int main(int argc, char **argv)
{
    return ag_cmd_run(argc, argv);
}
