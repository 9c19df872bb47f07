// A folder that has headers only is still a target.
