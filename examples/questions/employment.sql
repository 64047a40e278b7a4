-- Who lives in each local authority, and how many of them are in employment
SELECT g.local_authority_name AS area, people,
       round(100 * employed / people, 1) AS percent
FROM (
  SELECT lad_res, count(*) AS people,
         count(*) FILTER (
           WHERE economic_activity = 'In employment'
         ) AS employed
  FROM people
  WHERE period = 2025 AND combined_authority_res = 'Greater Manchester'
  GROUP BY lad_res
)
JOIN geography g ON g.local_authority = lad_res
ORDER BY area
