"""The command `downwind`.

main        the top group: commands by name, loaded when they are used
context     one session: settings, the world, its clock
output      tables for people, JSON and YAML for programs
*_command   one file for each group of commands
"""
