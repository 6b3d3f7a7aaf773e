"""The code service: programs that nobody trusts, each in a container of its own that is used once, called a slot.

The supervisor on the host keeps slots started and gives each one job over its stdin and stdout. Here is what both sides
know of each other, and all that is inside the slot. What runs there as the first process needs the standard library
alone and no pydantic, so that a slot that waits takes a few megabytes.

    both sides
      frames         how bytes on the two pipes are cut into pieces, and that no length is believed
      slot_protocol  the messages: ready, job, report, end; how a job is read
      shell_protocol the same for a shell
      slot_report    how a report is written, and read as it comes
      reading        documents from the other side, checked field by field
      ..names        which names files may have (processors/names.py)
      ..package_names  which packages a job may ask for (processors/package_names.py)
      verdict        from what was observed to one word of thirteen
      pipes          frames on descriptors, with deadlines
    the host
      languages      what is asked for -> files, commands and limits: START HERE
      prepared       what that gives: a job, and its bytes
      networking     what the environment of a networked program says
      wanted         which packages a job asks for
      packages       the job of a slot that fetches them, and from where
    the slot
      __main__       the first process: says that it is ready, takes one job, reports, ends
      staging        the job's files are written, as the job's user
      children       helpers that are the job's user, and the end of everything that runs
      phase          one program from its start to its end, within its limits
      shell          a program with a terminal, and somebody at the other end
      streams        what it prints, kept up to a cap; what it reads, fed without waiting
      jail           what a program leaves behind before it starts: privileges, files, system calls
      landlock       the files that it may open
      syscalls       the system calls that it may make; compiled when the image is built
      forwarder      connections to the proxy on the host, carried by a process that may do nothing else
      usage          what the slot as a whole uses, from its control group
      collect        what it has left in files, after it and all that it started are dead
      launch.py, launch.js   run in the program's own process: they call `main` and write what it returns
      network.js             likewise, before it: sends what JavaScript asks for to the proxy
      pack.py                likewise, instead of it: puts what was fetched into one file
"""
